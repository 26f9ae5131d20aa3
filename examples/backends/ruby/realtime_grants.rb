# frozen_string_literal: true

# What may be subscribed, for realtime.rb: rules by topic, filters, and grants that say much in few bytes. Copy this file too.

require "json"

class Realtime
  # An error in the shape that browsers and relays know: {code, message, retry}.
  class Refusal < StandardError
    CODES = {
      "bad-request" => ["never", 400], "forbidden" => ["never", 403], "not-found" => ["never", 404],
      "too-large" => ["never", 413], "token-missing" => ["refresh", 401], "token-invalid" => ["refresh", 401],
      "limit" => ["later", 429], "internal" => ["later", 500]
    }.freeze

    attr_reader :error, :status

    def initialize(code, message)
      super(message)
      again, @status = CODES.fetch(code)
      @error = { code: code, message: message, retry: again }
    end
  end

  # Rules by topic, or by a pattern like "user.{id}", whose placeholders stand for characters other than the dot. Whole names
  # go before patterns, more literal characters before fewer.
  class Rules
    def initialize(topics)
      @rules = topics.map { |topic, rule| [*compile(topic.to_s), rule] }.sort_by { |rank, _, _| rank }
    end

    # The rule, and what its placeholders stand for; nil where there is none. Names that begin with $ are the server's.
    def find(topic)
      return unless topic.is_a?(String) && topic.match?(/\A(?!\$)[A-Za-z0-9_.:$-]{1,128}\z/)

      @rules.each do |_, pattern, rule|
        found = pattern.match(topic)
        return [rule, found.named_captures] if found
      end
      nil
    end

    private

    def compile(topic)
      parts = topic.split(/\{(\w+)\}/, -1)
      literals = parts.each_slice(2).map(&:first)
      source = parts.each_with_index.map { |part, i| i.odd? ? "(?<#{part}>[A-Za-z0-9_:$-]+)" : Regexp.escape(part) }
      [[parts.size > 1 ? 1 : 0, -literals.sum(&:size)], /\A#{source.join}\z/]
    end
  end

  module Filters
    LARGEST_INTEGER = 2**53 - 1
    MOST_LENGTH = 8192
    MOST_COMBINATIONS = 256

    module_function

    # Refuses what a relay would refuse the whole token for.
    def check(filter)
      raise Refusal.new("bad-request", "A filter is an object of at most 8 keys") unless filter.is_a?(Hash) && filter.size <= 8
      unless filter.all? { |key, _| key?(key) && values(filter, key).all? { |one| scalar?(one) } }
        raise Refusal.new("bad-request", "Each key of a filter has a string, number, boolean or null, or a list of them")
      end
      return if combinations(filter).between?(1, MOST_COMBINATIONS) && text?(JSON.generate(filter), MOST_LENGTH)

      raise Refusal.new("bad-request", "A filter has 1 to 256 combinations of values, and at most 8,192 characters")
    end

    def values(filter, key)
      filter[key].is_a?(Array) ? filter[key] : [filter[key]]
    end

    def combinations(filter)
      filter.keys.map { |key| values(filter, key).size }.reduce(1, :*)
    end

    def fits?(filter)
      combinations(filter) <= MOST_COMBINATIONS && JSON.generate(filter).bytesize <= MOST_LENGTH
    end

    def key?(key)
      text?(key, 128) && !%w[__proto__ constructor prototype].include?(key)
    end

    def scalar?(value)
      case value
      when String then text?(value, 1024)
      when Numeric then value.abs <= LARGEST_INTEGER
      else [nil, true, false].include?(value)
      end
    end

    # In UTF-16, as relays count.
    def text?(value, longest)
      value.encode("UTF-16LE").bytesize <= 2 * longest
    rescue EncodingError
      false
    end
  end

  module Grants
    # Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters.
    MOST_BYTES = 11_000

    module_function

    def check_size(grant)
      raise Refusal.new("too-large", "This filter is too long for a token") if JSON.generate(grant).bytesize > MOST_BYTES
    end

    # Pairs that differ in one key's values only become one grant that lists them: exactly their union, never more.
    # allowed: [place, { topic:, filter: }]; gives [grant, places]
    def merge(allowed)
      alike = allowed.group_by { |_, pair| [pair[:topic], pair[:filter].keys.sort] }
      alike.flat_map { |(topic, keys), group| merge_alike(topic, keys, group.map { |place, pair| [place, pair[:filter]] }) }
    end

    # Lists of grants that fit into one token each, with the places of what they cover. Each goes to the first with room for it.
    def fill_tokens(merged)
      merged.each_with_object([]) do |(grant, places), tokens|
        size = JSON.generate(grant).bytesize + 1
        token = tokens.find { |one| one[:size] + size <= MOST_BYTES } || tokens.push({ size: 0, grants: [], places: [] }).last
        token[:size] += size
        token[:grants] << grant
        token[:places].concat(places)
      end
    end

    def merge_alike(topic, keys, pairs)
      # Listing the key with the most different values saves the most.
      axis = keys.max_by { |key| pairs.map { |_, filter| filter[key] }.uniq.size }
      growing = {}
      pairs.each_with_object([]) do |(place, filter), merged|
        rest = keys.reject { |key| key == axis }.map { |key| filter[key] }
        grant, places = growing[rest]
        wider = grant ? widen(grant[:filter], filter, axis) : filter
        unless grant && Filters.fits?(wider)
          grant, places = growing[rest] = [{ topic: topic }, []]
          wider = filter
          merged << [grant, places]
        end
        grant[:filter] = wider
        places << place
      end
    end

    def widen(filter, other, axis)
      axis.nil? ? filter : filter.merge(axis => Filters.values(filter, axis) | Filters.values(other, axis))
    end
  end
end
