# frozen_string_literal: true

# Answers Bellwire's question "{{event}}", with nothing but Ruby's standard library.
#
#     HOOK_SECRET=whsec_... ruby {{file}}
#
# In a web framework, hand `respond` a request's headers and raw body. The file that the relay's REALTIME_CONFIG names then says
#
#     hooks:
#       secret: whsec_...
# @if connect
#       headers: [cookie]
# @end
# @if connect refresh subscribe publish rpc
#       {{event}}: { url: "http://127.0.0.1:8080/" }
# @end
# @if notices
#       notices: { url: "http://127.0.0.1:8080/", events: [connected, disconnected] }
# @end

require "json"
require "openssl"
require "socket"

SECRET = (ENV["HOOK_SECRET"] || "").delete_prefix("whsec_").unpack1("m")
abort "HOOK_SECRET is not set: whsec_ and some base64, as hooks.secret of the relay's file" if SECRET.empty?

# Seconds: an older question may be a recording that somebody sends again.
MAX_AGE = 300
MAX_BYTES = 1_048_576

# @if connect
# Looks a session up: the user's id, or nil for signed out.
def user_of_cookie(_cookie)
  nil # your session store's answer
end

# @end
# What is answered to each question. An answer is a hash, { error: { code:, message: } } to refuse, or
# { disconnect: { code:, reason: } } to end the connection. The code "forbidden" is about permission; with any other, your own,
# the page gets `rejected`. It finds code and words in the error's `reason`.
ANSWERS = {
  # @if connect
  # Somebody connects: who is it? The question has site, client, headers (those that the relay passes on), data (what the page
  # sent along: anybody can write it) and claims (of a connection token, verified by the relay; or nil).
  "connect" => lambda do |question|
    user = question.dig("claims", "sub") || user_of_cookie(question.dig("headers", "cookie"))
    next { error: { code: "signed-out", message: "Sign in first" } } if user.nil?

    {
      user: user.to_s, # an id is a string; "" admits a visitor without a name
      info: { name: "User #{user}" }, # shown to others where a topic has presence
      until: Time.now.to_i + 3600, # the end of the connection, unless refresh puts it off
      subscriptions: [{ topic: "news", filter: {} }], # made at once
      grants: [] # what else may be subscribed without asking again: [{ topic:, filter: }]
    }
  end,
  # @end
  # @if refresh
  # A connection is about to end: may it stay? The question has site, user, session, client and headers.
  "refresh" => lambda do |question|
    user = question["user"].to_s
    # Look up here whether this user is still welcome.
    next { disconnect: { code: "signed-out", reason: "Sign in again" } } if user.empty?

    { until: Time.now.to_i + 3600 } # nil: no end any more
  end,
  # @end
  # @if subscribe
  # May somebody hear this? The question has site, user, session, topic, filter, and params: what a rule of the relay's file,
  # such as user.{uuid}, read from the topic.
  "subscribe" => lambda do |question|
    topic = question["topic"]
    user = question["user"].to_s
    next {} if topic == "news" # everybody may
    next { until: Time.now.to_i + 3600 } if !user.empty? && topic == "user.#{user}" # then it is asked again

    { error: { code: "forbidden", message: "This is not for you: #{topic}" } }
  end,
  # @end
  # @if publish
  # A client publishes: may this go in? The question has site, user, session, topic and data.
  "publish" => lambda do |question|
    user = question["user"].to_s
    text = question.dig("data", "text")
    next { error: { code: "forbidden", message: "Sign in first" } } if user.empty?

    if !text.is_a?(String) || text.strip.empty? || text.bytesize > 1000
      next { error: { code: "bad-message", message: "A message is a text of at most 1,000 bytes" } }
    end

    # Goes in instead of what the client sent. { handled: true } publishes nothing; { topic: } puts it elsewhere.
    { data: { text: text.strip, user: user } }
  end,
  # @end
  # @if rpc
  # A client calls a method. The question has site, user, session, method and data. Nil: there is no such method.
  "rpc" => lambda do |question|
    case question["method"]
    when "ping" then { data: "pong" }
    when "whoami"
      user = question["user"].to_s
      user.empty? ? { error: { code: "forbidden", message: "Sign in first" } } : { data: { user: user } }
    when "double"
      n = question["data"]["n"] if question["data"].is_a?(Hash)
      n.is_a?(Numeric) ? { data: n * 2 } : { error: { code: "no-number", message: "n is a number" } }
    end
  end,
  # @end
  # @if notices
  # No question: what happened. Each event has event (connected, disconnected, occupied or vacated) and whom or what it is about.
  # A notice comes at least once: the header webhook-id is the same each time.
  "notices" => lambda do |notice|
    notice["events"].each { |event| warn JSON.generate(event) }
    {}
  end
  # @end
}.freeze

# Whether a request is the relay's, by Standard Webhooks (https://www.standardwebhooks.com).
def signed?(headers, body)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature").map(&:to_s)
  return false if id.empty? || !timestamp.match?(/\A\d{1,12}\z/) || (Time.now.to_i - timestamp.to_i).abs > MAX_AGE

  expected = "v1,#{[OpenSSL::HMAC.digest("SHA256", SECRET, "#{id}.#{timestamp}.#{body}")].pack("m0")}"
  # Several while a secret is being changed; the comparison takes as long for a wrong one.
  signatures.split.any? { |one| one.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(expected, one) }
end

# The HTTP status, and the answer.
def respond(headers, body)
  return [401, { problem: "Not signed with HOOK_SECRET, or too long ago" }] unless signed?(headers, body)

  question = JSON.parse(body)
  answer = ANSWERS[question.fetch("event", "notices")] if question.is_a?(Hash)
  reply = answer&.call(question)
  reply.nil? ? [404, { problem: "This is not answered here" }] : [200, reply]
rescue StandardError => e
  warn e.full_message
  [500, { problem: "See the backend's log" }]
end

# As much of HTTP as a relay speaks, several requests on a connection. Nil at its end.
def read_request(socket)
  return nil if socket.gets("\r\n", 8192).nil?

  headers = {}
  while (line = socket.gets("\r\n", 8192)&.chomp) && !line.empty?
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
    return nil if headers.size > 100
  end
  length = headers["content-length"].to_i
  length.between?(0, MAX_BYTES) ? [headers, socket.read(length).to_s] : nil
end

def serve(socket)
  while (request = read_request(socket))
    status, reply = respond(*request)
    body = JSON.generate(reply)
    socket.write("HTTP/1.1 #{status} -\r\nContent-Type: application/json\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
  end
rescue IOError, SystemCallError
  nil # the relay closed the connection
ensure
  socket.close
end

port = Integer(ENV["PORT"] || 8080)
server = TCPServer.new("127.0.0.1", port)
warn "Answering {{event}} on http://127.0.0.1:#{server.addr[1]}/"
begin
  loop { Thread.new(server.accept) { |socket| serve(socket) } }
rescue Interrupt
  exit
end
