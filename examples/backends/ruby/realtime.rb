# frozen_string_literal: true

# Bellwire from Ruby 3.0 or later, with the standard library alone: tokens, the visitor's socket, publishing, and the
# signature of hooks. Copy this file.
#
# Settings, from the environment: APP_KEY, REALTIME_URL (a relay, as this backend reaches it), REALTIME_API_KEY,
# REALTIME_SITE, HOOK_SECRET, and optionally REALTIME_ENABLED (default true) and REALTIME_PUBLIC_URL (the relay, as browsers
# reach it).

require "json"
require "net/http"
require "openssl"
require "securerandom"
require "uri"

module Realtime
  TOKEN_SECONDS = 60
  REQUEST_SECONDS = 3
  HOOK_TOLERANCE_SECONDS = 300
  MOST_SUBSCRIPTIONS = 500
  # Bytes of JSON: a token's text is a third longer, and a relay takes 16,384 characters.
  MOST_GRANTS_BYTES = 11_000
  LARGEST_INTEGER = 2**53 - 1

  # Who a request is from.
  Visitor = Struct.new(:user, :session)

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

  # The pages that a visitor has open, for routes: `socket.subscribe(:chan1)`. What a route asks for reaches every page of the
  # session, on whichever relay it is. Nothing here raises: what the application did has happened, and whether everybody
  # could be told is in the answer and in the log.
  class Socket
    def initialize(visitor)
      @visitor = visitor
    end

    # With a filter only the messages that match: `socket.subscribe(:contacts, id: 5)`.
    def subscribe(channel, **filter)
      Realtime.command("subscribe", session: @visitor.session, topic: channel, filter: filter)
    end

    def unsubscribe(channel, **filter)
      Realtime.command("unsubscribe", session: @visitor.session, topic: channel, filter: filter)
    end

    # Sends a message to everybody who is subscribed to a channel, or to any of a list of channels.
    def push(message, channels, **options)
      Realtime.publish(channels, message, **options)
    end

    # Refuses the tokens that the session has, and ends what they opened.
    def revoke
      Realtime.command("revoke", session: @visitor.session)
    end
  end

  class << self
    def enabled?
      !%w[false 0 no off].include?(ENV.fetch("REALTIME_ENABLED", "").strip.downcase)
    end

    # The tenant. Here there is one; yours may depend on the user.
    def site
      ENV.fetch("REALTIME_SITE")
    end

    # The bytes of APP_KEY: keys are often written as `base64:...`.
    def key
      text = ENV.fetch("APP_KEY", "")
      bytes = text.start_with?("base64:") ? text.delete_prefix("base64:").unpack1("m") : text
      bytes.bytesize >= 32 ? bytes : abort("APP_KEY needs at least 32 bytes")
    end

    # ---- Tokens

    def connection_token(visitor)
      sign({ aud: "bellwire:connect", **claims(visitor) })
    end

    # grants: a list of {topic, filter}, what the visitor may subscribe on a connection of their own
    def subscribe_token(visitor, grants)
      sign({ aud: "bellwire:subscribe", grants: grants, **claims(visitor) })
    end

    # What the browser's client asks for: a connection token, and one subscribe token for all that it may have of a list.
    # The block decides: `{ |user, topic, filter| true }`; an empty filter means every message of the topic.
    def answer_token_request(body, visitor, &may_subscribe)
      return { enabled: false } unless enabled?

      asked = body["subscriptions"]
      raise Refusal.new("bad-request", "subscriptions is a list of {topic, filter}") unless asked.nil? || asked.is_a?(Array)
      if asked && asked.size > MOST_SUBSCRIPTIONS
        raise Refusal.new("too-large", "At most #{MOST_SUBSCRIPTIONS} subscriptions in one request")
      end
      raise Refusal.new("token-missing", "Sign in first") if visitor.nil?

      url = [ENV["REALTIME_PUBLIC_URL"], ENV.fetch("REALTIME_URL").sub(/\Ahttp/, "ws")].find { |one| !one.to_s.empty? }
      reply = { enabled: true, url: url, site: site, token: connection_token(visitor) }
      asked.nil? ? reply : reply.merge(grant(asked, visitor, &may_subscribe))
    end

    # Raises a Refusal where the block says anything but true.
    def require_permission(user, topic, filter)
      check_filter(filter)
      # Of a topic that there is not, nobody learns more than of one that refuses.
      return if user && topic.is_a?(String) && yield(user, topic, filter) == true

      raise Refusal.new("forbidden", "This topic may not be subscribed with this filter")
    end

    # ---- The relay's API

    # Tells everybody who listens to the topic, or to any of a list of topics.
    # options: idempotencyKey:, and except:, e.g. { client: id }
    # Returns a result for each topic, {topic, epoch, offset}; nil where realtime is off or not all could be told.
    def publish(topic, data, **options)
      # With a key of its own, what was sent twice is heard once.
      body = { (topic.is_a?(Array) ? :topics : :topic) => topic, data: data, idempotencyKey: SecureRandom.hex(16), **options }
      reply = post("publish", body) or return
      errors = reply["results"].filter_map { |result| result["error"] }
      errors.each { |error| warn "realtime: publish: #{error["message"]}" }
      errors.empty? ? reply["results"] : nil
    end

    # `subscribe`, `unsubscribe`, `disconnect` or `revoke`, on every relay: whom (user:, session: or client:), topic:, filter:.
    def command(kind, **body)
      !post(kind, body).nil?
    end

    # ---- Hooks

    # Checks what Standard Webhooks signs: id, time and content, of which a webhook's is its body. Raises a Refusal.
    # headers: by lower-case name
    def verify_signature(headers, content)
      secret = ENV.fetch("HOOK_SECRET", "").delete_prefix("whsec_").unpack1("m")
      timestamp = headers.fetch("webhook-timestamp", "")
      unless !secret.empty? && timestamp.match?(/\A\d{1,12}\z/) && (Time.now.to_i - timestamp.to_i).abs <= HOOK_TOLERANCE_SECONDS
        raise Refusal.new("token-invalid", "The signature is missing or too old")
      end
      mac = OpenSSL::HMAC.digest("SHA256", secret, "#{headers["webhook-id"]}.#{timestamp}.".b + content.b)
      right = "v1,#{[mac].pack("m0")}"
      return if headers.fetch("webhook-signature", "").split.any? { |one| OpenSSL.secure_compare(right, one) }

      raise Refusal.new("token-invalid", "The signature is wrong")
    end

    # Who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`.
    def read_caller(verb, target, headers, body)
      asker = %w[site user session].map { |name| headers.fetch("bellwire-#{name}", "") }
      verify_signature(headers, ["#{verb} #{target}", *asker, body.b].join("\n"))
      raise Refusal.new("forbidden", "This backend is not for that site") unless asker[0] == site

      # Percent-encoding; a plus is a plus.
      Visitor.new(*asker.drop(1).map { |text| URI.decode_www_form_component(text.gsub("+", "%2B")) })
    end

    # Raises a Refusal where the text is no JSON object.
    def parse_object(text)
      value = JSON.parse(text.empty? ? "{}" : text.dup.force_encoding("UTF-8"), max_nesting: 64)
      raise Refusal.new("bad-request", "The body is a JSON object") unless value.is_a?(Hash)

      JSON.generate(value) # fails for text that is no UTF-8, which the parser lets pass
      value
    rescue JSON::JSONError, EncodingError
      raise Refusal.new("bad-request", "The body is no JSON")
    end

    private

    def claims(visitor)
      # With fractions of a second, so that a revocation can tell the tokens of one second apart.
      now = Time.now.to_f
      { site: site, sub: visitor.user, sid: visitor.session, iat: now, exp: now.ceil + TOKEN_SECONDS }
    end

    # A JSON Web Token, HS256.
    def sign(payload)
      text = [{ alg: "HS256", typ: "JWT" }, payload].map { |part| base64url(JSON.generate(part)) }.join(".")
      "#{text}.#{base64url(OpenSSL::HMAC.digest("SHA256", key, text))}"
    end

    def base64url(bytes)
      [bytes].pack("m0").tr("+/", "-_").delete("=")
    end

    # Decides on each of a list; one token for all that is allowed.
    def grant(asked, visitor, &may_subscribe)
      grants = []
      size = 0
      results = asked.map do |one|
        one = {} unless one.is_a?(Hash)
        grant = { topic: one["topic"], filter: one["filter"] || {} }
        require_permission(visitor.user, grant[:topic], grant[:filter], &may_subscribe)
        size += JSON.generate(grant).bytesize + 1
        raise Refusal.new("limit", "No room in this token: ask for this one again, with fewer others") if size > MOST_GRANTS_BYTES

        grants << grant
        grant
      rescue Refusal => refusal
        { **grant, error: refusal.error }
      end
      grants.empty? ? { results: results } : { results: results, subscribeToken: subscribe_token(visitor, grants) }
    end

    # Refuses what a relay would refuse the whole token for.
    def check_filter(filter)
      unless filter.is_a?(Hash) && filter.size <= 8
        raise Refusal.new("bad-request", "A filter is an object of at most 8 keys")
      end
      lists = filter.values.map { |allowed| allowed.is_a?(Array) ? allowed : [allowed] }
      combinations = lists.map(&:size).reduce(1, :*)
      return if combinations.between?(1, 256) && filter.keys.all? { |name| name.size <= 128 } && lists.flatten(1).all? { |one| scalar?(one) }

      raise Refusal.new("bad-request", "Each key of a filter has a string, number, boolean or null, or a list of them")
    end

    def scalar?(value)
      case value
      when String then value.size <= 1024
      when Numeric then value.abs <= LARGEST_INTEGER
      else [nil, true, false].include?(value)
      end
    end

    # Asks the relay's API, once more where that may help. nil, and a line in the log, where it failed or realtime is off.
    def post(kind, body)
      return unless enabled?

      status, reply = request(kind, JSON.generate(body))
      if again?(status, reply)
        sleep(rand(0.05..0.15))
        status, reply = request(kind, JSON.generate(body))
      end
      return reply if status == 200

      warn "realtime: #{kind}: #{reply.dig("error", "message") || "status #{status}"}"
    end

    def again?(status, reply)
      status.zero? || [reply, *reply["results"]].any? { |part| part.dig("error", "retry") == "later" }
    end

    # Gives the status, 0 where there was no answer to read, and the JSON object.
    def request(kind, text)
      base = URI(ENV.fetch("REALTIME_URL"))
      http = Net::HTTP.new(base.host, base.port, nil) # nil: no proxy on the way to a relay
      http.use_ssl = base.scheme == "https"
      http.open_timeout = http.read_timeout = http.write_timeout = REQUEST_SECONDS
      headers = { "Authorization" => "Bearer #{ENV.fetch("REALTIME_API_KEY")}", "Content-Type" => "application/json" }
      response = http.post("#{base.path.chomp("/")}/v1/sites/#{site}/#{kind}", text, headers)
      [response.code.to_i, parse_object(response.body.to_s)]
    rescue Refusal, SystemCallError, SocketError, IOError, Timeout::Error, OpenSSL::SSL::SSLError, Net::ProtocolError => e
      [0, { "error" => { "message" => "the relay gave no answer: #{e.message}" } }]
    end
  end
end
