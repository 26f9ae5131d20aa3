# frozen_string_literal: true

# Bellwire from Ruby 3.0 or later, with the standard library alone: tokens, the visitor's socket, publishing, and the
# signature of hooks. Copy this file and realtime_grants.rb.
#
#   realtime = Realtime.new(topics: { "user.{id}" => ->(visitor, filter, params) { visitor.user == params["id"] } })
#   realtime.publish(site, :Contact_Updated_Topic, { id: 5 })
#
# Sites, users and sessions are strings, or integers, which are written as strings.

require "json"
require "net/http"
require "openssl"
require "securerandom"
require "timeout"
require "uri"
require_relative "realtime_grants"

class Realtime
  TOKEN_SECONDS = 60
  HOOK_TOLERANCE_SECONDS = 300
  MOST_SUBSCRIPTIONS = 500

  # Not everybody could be told. Raised by publish! and command! only.
  class RelayError < StandardError; end

  # A site, user or session as a string. Raises an ArgumentError that names what it got.
  def self.id(name, value)
    text = value.to_s
    wanted = "a string or an integer" unless value.is_a?(String) || value.is_a?(Integer)
    wanted ||= "1 to 64 characters of A-Z a-z 0-9 _ -" if name == :site && !text.match?(/\A[A-Za-z0-9_-]{1,64}\z/)
    wanted ||= "1 to 128 bytes" if text.bytesize > 128 || (name == :user && text.empty?)
    wanted ? raise(ArgumentError, "#{name} is #{wanted}, not #{value.inspect} (#{value.class})") : text
  end

  # Who a request is from.
  class Visitor
    attr_reader :site, :user, :session

    def initialize(site, user, session = "")
      @site = Realtime.id(:site, site)
      @user = Realtime.id(:user, user)
      @session = Realtime.id(:session, session)
    end
  end

  # The pages that a visitor has open, for routes: `socket.subscribe(:chan1)`. What a route asks for reaches every page of the
  # session, on whichever relay it is. Nothing here raises: what the application did has happened, and whether everybody
  # could be told is in the answer and in the log.
  class Socket
    def initialize(realtime, visitor)
      @realtime = realtime
      @visitor = visitor
    end

    # With a filter only the messages that match: `socket.subscribe(:contacts, id: 5)`.
    def subscribe(channel, **filter)
      @realtime.command(@visitor.site, "subscribe", session: @visitor.session, topic: channel, filter: filter)
    end

    def unsubscribe(channel, **filter)
      @realtime.command(@visitor.site, "unsubscribe", session: @visitor.session, topic: channel, filter: filter)
    end

    # Sends a message to everybody on the site who is subscribed to a channel, or to any of a list of channels.
    def push(message, channels, **options)
      @realtime.publish(@visitor.site, channels, message, **options)
    end

    # Refuses the tokens that the session has, and ends what they opened.
    def revoke
      @realtime.command(@visitor.site, "revoke", session: @visitor.session)
    end
  end

  attr_reader :key

  # What is not given comes from the environment. key: APP_KEY; url: REALTIME_URL, a relay, as this backend reaches it;
  # api_key: REALTIME_API_KEY; public_url: REALTIME_PUBLIC_URL, the relay as browsers reach it, default: url with ws for http;
  # hook_secret: HOOK_SECRET; enabled: REALTIME_ENABLED, default: true.
  #
  # topics: who may subscribe, by name or pattern: a rule answers true. An empty filter means every message of the topic.
  # timeout: seconds that publish and command take at most, both attempts together.
  def initialize(topics: {}, key: nil, url: nil, api_key: nil, public_url: nil, hook_secret: nil, enabled: nil, timeout: 2)
    setting = ->(given, name) { (given.nil? ? ENV.fetch(name, "") : given).to_s }
    @key = decode_key(setting.call(key, "APP_KEY"))
    @secret = setting.call(hook_secret, "HOOK_SECRET").delete_prefix("whsec_").unpack1("m")
    @enabled = !%w[false 0 no off].include?(setting.call(enabled, "REALTIME_ENABLED").strip.downcase)
    @url = setting.call(url, "REALTIME_URL").chomp("/")
    if @enabled && !@url.match?(%r{\Ahttps?://[^/]})
      raise ArgumentError, "REALTIME_URL is a relay as this backend reaches it, such as http://127.0.0.1:6200, not #{@url.inspect}"
    end
    @public_url = [setting.call(public_url, "REALTIME_PUBLIC_URL"), @url.sub(/\Ahttp/, "ws")].find { |one| !one.empty? }
    @api_key = setting.call(api_key, "REALTIME_API_KEY")
    @rules = Rules.new(topics)
    @timeout = timeout
  end

  def enabled?
    @enabled
  end

  def socket(visitor)
    Socket.new(self, visitor)
  end

  # ---- Tokens

  def connection_token(visitor)
    sign({ aud: "bellwire:connect", **claims(visitor) })
  end

  # grants: a list of {topic, filter}, what the visitor may subscribe on a connection of their own
  def subscribe_token(visitor, grants)
    sign({ aud: "bellwire:subscribe", grants: grants, **claims(visitor) })
  end

  # What the browser's client asks for: a connection token, and subscribe tokens for what it may have of a list.
  # visitor: nil where nobody has signed in. Raises a Refusal.
  def answer_token_request(verb, content_type, text, visitor)
    return { enabled: false } unless enabled?

    asked = (verb == "POST" ? Realtime.read_json(content_type, text) : {})["subscriptions"]
    raise Refusal.new("bad-request", "subscriptions is a list of {topic, filter}") unless asked.nil? || asked.is_a?(Array)
    if asked && asked.size > MOST_SUBSCRIPTIONS
      raise Refusal.new("too-large", "At most #{MOST_SUBSCRIPTIONS} subscriptions in one request")
    end
    raise Refusal.new("token-missing", "Sign in first") if visitor.nil?

    reply = { enabled: true, url: @public_url, site: visitor.site, token: connection_token(visitor) }
    asked.nil? ? reply : reply.merge(grant(asked, visitor))
  end

  # Raises a Refusal where the visitor may not subscribe.
  def require_permission(visitor, topic, filter)
    Filters.check(filter)
    rule, params = @rules.find(topic)
    # Of a topic that there is not, nobody learns more than of one that refuses.
    return if visitor && rule && rule.call(visitor, filter, params) == true

    raise Refusal.new("forbidden", "This topic may not be subscribed with this filter")
  end

  # ---- The relay's API

  # Tells everybody on the site who listens to the topic, or to any of a list of topics.
  # options: idempotency_key:, and except:, e.g. { client: id }
  # Returns a result for each topic, {topic, epoch, offset}; nil where realtime is off, or not all could be told: then the log
  # says why. What the application did has happened, and a page that was not told fetches anew when its connection is back.
  def publish(site, topic, data, **options)
    logging("publish") { publish!(site, topic, data, **options) }
  end

  # The same, for whom nothing may go on without it. Raises a RelayError, or an ArgumentError for what can't be asked.
  def publish!(site, topic, data, idempotency_key: nil, except: nil)
    # With a key of its own, what was sent twice is heard once.
    body = { (topic.is_a?(Array) ? :topics : :topic) => topic, data: data, idempotencyKey: idempotency_key || SecureRandom.hex(16) }
    body[:except] = stringify(except) if except
    ask(site, "publish", body)&.fetch("results", nil)
  end

  # `subscribe`, `unsubscribe`, `disconnect` or `revoke`, on every relay: whom (user:, session: or client:), topic:, filter:.
  def command(site, kind, **body)
    !logging(kind) { command!(site, kind, **body) }.nil?
  end

  def command!(site, kind, **body)
    ask(site, kind, stringify(body))
  end

  # ---- Hooks

  # A relay's question. Raises a Refusal where its signature is wrong, old or missing.
  # headers: by lower-case name
  def read_hook(headers, text)
    verify_signature(headers, text)
    Realtime.parse_object(text)
  end

  # Checks what Standard Webhooks signs: id, time and content, of which a webhook's is its body. Raises a Refusal.
  def verify_signature(headers, content)
    timestamp = headers.fetch("webhook-timestamp", "")
    unless !@secret.empty? && timestamp.match?(/\A\d{1,12}\z/) && (Time.now.to_i - timestamp.to_i).abs <= HOOK_TOLERANCE_SECONDS
      raise Refusal.new("token-invalid", "The signature is missing or too old")
    end
    mac = OpenSSL::HMAC.digest("SHA256", @secret, "#{headers["webhook-id"]}.#{timestamp}.".b + content.b)
    right = "v1,#{[mac].pack("m0")}"
    return if headers.fetch("webhook-signature", "").split.any? { |one| OpenSSL.secure_compare(right, one) }

    raise Refusal.new("token-invalid", "The signature is wrong")
  end

  # The visitor who calls one of the application's own addresses over a socket, by `rpc("post:news/store", data)`; nil for one
  # without a name. Raises a Refusal where the signature is wrong, old or missing.
  def read_caller(verb, target, headers, body)
    asker = %w[site user session].map { |name| headers.fetch("bellwire-#{name}", "") }
    verify_signature(headers, ["#{verb} #{target}", *asker, body.b].join("\n"))
    # Percent-encoding; a plus is a plus.
    asker.map! { |text| URI.decode_www_form_component(text.gsub("+", "%2B")) }
    asker[1].empty? ? nil : Visitor.new(*asker)
  end

  class << self
    # The object in a browser's request. Forms of foreign pages can send cookies, but not this type. Raises a Refusal.
    def read_json(content_type, text)
      unless content_type.to_s.split(";").first.to_s.strip.casecmp?("application/json")
        raise Refusal.new("bad-request", "Send content-type: application/json, not #{content_type || "none"}")
      end
      parse_object(text)
    end

    # Raises a Refusal where the text is no JSON object.
    def parse_object(text)
      value = JSON.parse(text.empty? ? "{}" : text.dup.force_encoding("UTF-8"), max_nesting: 64)
      value = {} if value == [] # as PHP writes an empty object
      raise Refusal.new("bad-request", "The body is a JSON object") unless value.is_a?(Hash)

      JSON.generate(value) # fails for text that is no UTF-8, which the parser lets pass
      value
    rescue JSON::JSONError, EncodingError
      raise Refusal.new("bad-request", "The body is no JSON")
    end
  end

  private

  # The bytes of APP_KEY: keys are often written as `base64:...`.
  def decode_key(text)
    bytes = text.start_with?("base64:") ? text.delete_prefix("base64:").unpack1("m") : text
    bytes.bytesize >= 32 ? bytes : raise(ArgumentError, "APP_KEY needs at least 32 bytes")
  end

  def claims(visitor)
    # With fractions of a second, so that a revocation can tell the tokens of one second apart.
    now = Time.now.to_f
    { site: visitor.site, sub: visitor.user, sid: visitor.session, iat: now, exp: now.ceil + TOKEN_SECONDS }
  end

  # A JSON Web Token, HS256.
  def sign(payload)
    text = [{ alg: "HS256", typ: "JWT" }, payload].map { |part| base64url(JSON.generate(part)) }.join(".")
    "#{text}.#{base64url(OpenSSL::HMAC.digest("SHA256", key, text))}"
  end

  def base64url(bytes)
    [bytes].pack("m0").tr("+/", "-_").delete("=")
  end

  # Decides on each of a list. Where one token can't hold all that is allowed, there are several.
  def grant(asked, visitor)
    allowed = []
    results = asked.each_with_index.map do |one, place|
      topic, filter = one.is_a?(Hash) ? one.values_at("topic", "filter") : nil
      pair = { topic: topic, filter: [nil, []].include?(filter) ? {} : filter }
      require_permission(visitor, topic, pair[:filter])
      Grants.check_size(pair)
      allowed << [place, pair]
      pair
    rescue Refusal => refusal
      { **pair, error: refusal.error }
    end
    filled = Grants.fill_tokens(Grants.merge(allowed))
    # A client that knows of one token only goes by the error, and asks again.
    full = Refusal.new("limit", "No room in the first token: use the one in `token`, or ask for this one again").error
    filled.drop(1).each.with_index(1) do |token, number|
      token[:places].each { |place| results[place] = { **results[place], token: number, error: full } }
    end
    tokens = filled.map { |token| subscribe_token(visitor, token[:grants]) }
    { results: results, subscribeToken: tokens[0], subscribeTokens: (tokens if tokens.size > 1) }.compact
  end

  def stringify(body)
    body.to_h { |name, value| [name, %i[user session].include?(name.to_sym) ? Realtime.id(name.to_sym, value) : value] }
  end

  def logging(kind)
    yield
  rescue RelayError, ArgumentError, JSON::JSONError, EncodingError => e
    warn "realtime: #{kind}: #{e.message}"
  end

  # Asks the relay's API, once more where that may help. nil where realtime is off.
  def ask(site, kind, body)
    return unless enabled?

    path = "/v1/sites/#{Realtime.id(:site, site)}/#{kind}"
    text = JSON.generate(body)
    deadline = now + @timeout
    status, reply = request(path, text, deadline)
    if errors_of(reply).any? { |error| error["retry"] == "later" } && now + 0.2 < deadline
      sleep(rand(0.05..0.15))
      status, reply = request(path, text, deadline)
    end
    error = errors_of(reply).first
    raise RelayError, error ? error["message"] : "status #{status}" if error || status != 200

    reply
  end

  def errors_of(reply)
    [reply, *reply["results"]].filter_map { |part| part["error"] if part.is_a?(Hash) && part["error"].is_a?(Hash) }
  end

  # Gives the status, 0 where there was no answer to read, and the JSON object.
  def request(path, text, deadline)
    base = URI(@url)
    http = Net::HTTP.new(base.host, base.port, nil) # nil: no proxy on the way to a relay
    http.use_ssl = base.scheme == "https"
    headers = { "Authorization" => "Bearer #{@api_key}", "Content-Type" => "application/json",
                "Accept-Encoding" => "identity" }
    left = [deadline - now, 0.001].max
    read_reply(Timeout.timeout(left) { http.post(base.path + path, text, headers) })
  rescue Timeout::Error
    unanswered("did not answer within #{@timeout} s")
  rescue SystemCallError, SocketError, IOError, OpenSSL::SSL::SSLError, Net::ProtocolError, Net::HTTPBadResponse => e
    unanswered("gave no answer: #{e.message}")
  end

  def unanswered(why)
    [0, { "error" => { "message" => "#{@url} #{why}", "retry" => "later" } }]
  end

  def read_reply(response)
    status = response.code.to_i
    text = response.body.to_s
    raise EOFError, "it broke off" if response.content_length.to_i > text.bytesize

    [status, Realtime.parse_object(text)]
  rescue Refusal
    kind = response["content-type"] || "no content-type"
    what = "The reply is no JSON but #{kind} with the status #{status}: is REALTIME_URL a relay's address?"
    [status, { "error" => { "message" => what, "retry" => status >= 500 ? "later" : "never" } }]
  end

  # Seconds of a clock that is never set.
  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
