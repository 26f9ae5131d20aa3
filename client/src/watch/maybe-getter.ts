/** A value, or a function that says what it is now, asked anew where the framework notices changes. */
export type MaybeGetter<Value> = Value | (() => Value);

export function valueOf<Value extends string | object | null | undefined | false>(given: MaybeGetter<Value>): Value {
  return typeof given === "function" ? (given as () => Value)() : given;
}
