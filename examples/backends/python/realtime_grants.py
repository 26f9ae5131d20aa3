"""What may be subscribed, for realtime.py: rules by topic, filters, and grants that say much in few bytes. Copy this file too."""

import json
import math
import re

# Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters.
MOST_GRANTS_BYTES = 11_000
MOST_FILTER_LENGTH = 8192
MOST_COMBINATIONS = 256
LARGEST_INTEGER = 2**53 - 1

CODES = {
    "bad-request": ("never", 400),
    "forbidden": ("never", 403),
    "not-found": ("never", 404),
    "too-large": ("never", 413),
    "token-missing": ("refresh", 401),
    "token-invalid": ("refresh", 401),
    "limit": ("later", 429),
    "internal": ("later", 500),
}


class Refusal(Exception):
    """An error in the shape that browsers and relays know: {code, message, retry}."""

    def __init__(self, code, message):
        super().__init__(message)
        retry, self.status = CODES[code]
        self.error = {"code": code, "message": message, "retry": retry}


def encode(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# ---- Topics


def compile_rules(topics):
    """Whole names before patterns, more literal characters before fewer. `{name}` stands for characters other than the dot."""
    rules = []
    for topic, rule in topics.items():
        parts = re.split(r"\{(\w+)\}", topic)
        source = "".join(f"(?P<{part}>[A-Za-z0-9_:$-]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
        rules.append((len(parts) > 1, -len("".join(parts[::2])), re.compile(source), rule))
    return [one[2:] for one in sorted(rules, key=lambda one: one[:2])]


def find_rule(rules, topic):
    """The rule, and what its placeholders stand for. Names that begin with $ are the server's."""
    if isinstance(topic, str) and re.fullmatch("[A-Za-z0-9_.:-][A-Za-z0-9_.:$-]{0,127}", topic):
        for pattern, rule in rules:
            found = pattern.fullmatch(topic)
            if found:
                return rule, found.groupdict()
    return None, {}


# ---- Filters


def check_filter(filter):
    """Refuses what a relay would refuse the whole token for."""
    if not isinstance(filter, dict) or len(filter) > 8:
        raise Refusal("bad-request", "A filter is an object of at most 8 keys")
    if not all(is_key(key) and all(map(is_scalar, values_of(filter, key))) for key in filter):
        raise Refusal("bad-request", "Each key of a filter has a string, number, boolean or null, or a list of them")
    if not 1 <= combinations(filter) <= MOST_COMBINATIONS or not is_text(encode(filter).decode(), MOST_FILTER_LENGTH):
        raise Refusal("bad-request", "A filter has 1 to 256 combinations of values, and at most 8,192 characters")


def check_size(grant):
    if len(encode(grant)) > MOST_GRANTS_BYTES:
        raise Refusal("too-large", "This filter is too long for a token")


def values_of(filter, key):
    return filter[key] if isinstance(filter[key], list) else [filter[key]]


def combinations(filter):
    return math.prod(len(values_of(filter, key)) for key in filter)


def is_key(key):
    return is_text(key, 128) and key not in ("__proto__", "constructor", "prototype")


def is_scalar(value):
    if isinstance(value, str):
        return is_text(value, 1024)
    return value is None or (isinstance(value, (int, float)) and abs(value) <= LARGEST_INTEGER)


def is_text(value, longest):
    """In UTF-16, as relays count. False for half a surrogate pair, which JSON can hold and UTF-8 can't."""
    try:
        return len(value.encode("utf-16-le")) <= 2 * longest
    except UnicodeEncodeError:
        return False


# ---- Grants


def merge(allowed):
    """Pairs that differ in one key's values only become one grant that lists them: exactly their union, never more.

    Takes (place, {topic, filter}), gives (grant, places).
    """
    alike = {}
    for place, pair in allowed:
        alike.setdefault((pair["topic"], *sorted(pair["filter"])), []).append((place, pair["filter"]))
    merged = []
    for (topic, *keys), group in alike.items():
        # Listing the key with the most different values saves the most.
        axis = max(keys, key=lambda key: len({encode(filter[key]) for _, filter in group}), default=None)
        growing = {}
        for place, filter in group:
            rest = encode([filter[key] for key in keys if key != axis])
            # By their texts: 1 and True are the same key of a dict.
            own = {} if axis is None else {encode(value): value for value in values_of(filter, axis)}
            grant, places, values = growing.get(rest, (None, [], {}))
            values = {**values, **own}
            wider = filter if axis is None else {**filter, axis: list(values.values())}
            if grant is None or combinations(wider) > MOST_COMBINATIONS or len(encode(wider)) > MOST_FILTER_LENGTH:
                grant, places, values, wider = {"topic": topic}, [], own, filter
                merged.append((grant, places))
            grant["filter"] = wider
            places.append(place)
            growing[rest] = grant, places, values
    return merged


def fill_tokens(merged):
    """Lists of grants that fit into one token each, with the places of what they cover: as few as filling the first that has room."""
    tokens = []
    for grant, places in merged:
        size = len(encode(grant)) + 1
        token = next((one for one in tokens if one["size"] + size <= MOST_GRANTS_BYTES), None)
        if token is None:
            token = {"size": 0, "grants": [], "places": []}
            tokens.append(token)
        token["size"] += size
        token["grants"].append(grant)
        token["places"] += places
    return [(token["grants"], token["places"]) for token in tokens]
