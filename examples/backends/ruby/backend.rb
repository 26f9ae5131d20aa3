# frozen_string_literal: true

# A whole backend on Bellwire in Ruby, without a framework: `PORT=8080 ruby backend.rb`.
#
# There are no passwords and nothing is stored: it shows what realtime needs. The settings are those of realtime.rb.

require "socket"
require "timeout"
require_relative "realtime"

# ---- Who is here, and what they may hear

USERS = {
  "ann" => { site: "acme", name: "Ann", role: "admin" },
  "ben" => { site: "acme", name: "Ben", role: "member" },
  "mallory" => { site: "acme", name: "Mallory", role: "blocked" },
  "gil" => { site: 12, name: "Gil", role: "admin" }
}.freeze

# nil also for somebody who claims to be of another tenant.
def role(visitor)
  user = USERS[visitor.user] if visitor
  user[:role] if user && user[:site].to_s == visitor.site
end

def welcome?(visitor)
  %w[admin member].include?(role(visitor))
end

# Who may subscribe a topic, by its name or pattern. An empty filter means every message of it. Rooms are entered by a route.
TOPICS = {
  "Contact_Updated_Topic" => ->(visitor, _filter, _params) { welcome?(visitor) },
  "News_Topic" => ->(visitor, _filter, _params) { welcome?(visitor) },
  "Chat_Message_Topic" => ->(visitor, _filter, _params) { welcome?(visitor) },
  "Admin_Alert_Topic" => ->(visitor, _filter, _params) { role(visitor) == "admin" },
  "user.{id}" => ->(visitor, _filter, params) { welcome?(visitor) && visitor.user == params["id"] }
}.freeze

REALTIME = Realtime.new(topics: TOPICS)

# A signed cookie, so that nothing need be stored. The relay knows the session's id, which is not enough to forge one.
def cookie_of(user, session)
  "#{user}.#{session}.#{OpenSSL::HMAC.hexdigest("SHA256", REALTIME.key, "session:#{user}.#{session}")}"
end

# By a whole Cookie header; nil where nobody has signed in.
def visitor_of(cookies)
  found = cookies.to_s.match(/(?:\A|;)\s*session=((\w+)\.(\h+)\.\h+)/) or return
  _, cookie, user, session = found.to_a
  good = USERS.key?(user) && OpenSSL.secure_compare(cookie, cookie_of(user, session))
  Realtime::Visitor.new(USERS[user][:site], user, session) if good
end

# ---- Routes: each block answers [status, body], or [status, body, cookie]. They are called over HTTP and over the socket alike.

# What a route sees: `socket`, `user`, `input` (the body) and `params` (what the path holds).
Context = Struct.new(:visitor, :input, :params) do
  def socket
    @socket ||= REALTIME.socket(visitor)
  end

  def user
    visitor.user
  end

  def text(name)
    input[name].is_a?(String) ? input[name].strip : ""
  end
end

ROUTES = []

def post(path, &block)
  pattern = path.gsub(/:(\w+)/) { "(?<#{Regexp.last_match(1)}>[A-Za-z0-9_-]{1,64})" }
  ROUTES << ["POST", /\A#{pattern}\z/, block]
end

post "/contacts/:id" do
  # Here the contact would be stored.
  told = socket.push({ id: params["id"].to_i, updated_by: user }, :Contact_Updated_Topic)
  [200, { success: true, told: !told.nil? }]
end

# Subscribes the visitor's pages, all that are open, without their doing.
post "/contacts/:id/follow" do
  [200, { success: socket.subscribe(:Contact_Updated_Topic, id: params["id"].to_i) }]
end

post "/contacts/:id/unfollow" do
  [200, { success: socket.unsubscribe(:Contact_Updated_Topic, id: params["id"].to_i) }]
end

post "/rooms/:room/enter" do
  [200, { success: socket.subscribe("room.#{params["room"]}") }]
end

post "/rooms/:room/leave" do
  [200, { success: socket.unsubscribe("room.#{params["room"]}") }]
end

# Says something in one room, or in several at once.
post "/say" do
  rooms = Array(input["rooms"]).first(20).grep(/\A[\w-]{1,64}\z/)
  if rooms.empty? || !text("text").length.between?(1, 1000)
    [422, { message: "Say something, somewhere", errors: { rooms: ["Name rooms"], text: ["Write 1 to 1000 characters"] } }]
  else
    told = socket.push({ text: text("text"), by: user }, rooms.map { |room| "room.#{room}" })
    [200, { success: true, told: !told.nil? }]
  end
end

# An ordinary form, which a page may also send over its socket: `rpc("post:news/store", {title})`.
post "/news/store" do
  if text("title").empty?
    [422, { message: "The news needs a title", errors: { title: ["Write a title"] } }]
  else
    id = SecureRandom.random_number(1_000_000)
    socket.push({ id: id }, :News_Topic)
    [201, { id: id, title: text("title"), author: user }]
  end
end

# Ends what the session's tokens opened, in all its tabs.
post "/sign-out" do
  [200, { success: socket.revoke }, "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]
end

def call_route(verb, path, visitor, input)
  raise Realtime::Refusal.new("token-missing", "Sign in first") if visitor.nil?

  ROUTES.each do |wanted, pattern, block|
    found = pattern.match(path) if verb == wanted
    return Context.new(visitor, input, found.named_captures).instance_exec(&block) if found
  end
  raise Realtime::Refusal.new("not-found", "There is nothing here")
end

def sign_in(input)
  user = input["user"]
  return [422, { message: "Nobody has this name" }] unless USERS.key?(user)

  [200, { user: user }, "session=#{cookie_of(user, SecureRandom.hex(12))}; Path=/; HttpOnly; SameSite=Lax"]
end

# ---- What a relay asks: each answers the reply, and an empty one means yes

# `forbidden` is about permission; any other code is this backend's own, and reaches the page as the reason of `rejected`.
def refuse(code, message)
  { error: { code: code, message: message } }
end

def asker_of(question)
  Realtime::Visitor.new(*question.values_at("site", "user", "session")) unless question["user"].to_s.empty?
end

# What clients may call by a name of their own: `rpc("ping", data)`.
METHODS = {
  "ping" => ->(_visitor, _data) { "pong" }
}.freeze

HOOKS = {
  # By the token's claims, which the relay has verified, or else by the browser's cookie.
  "connect" => lambda do |question|
    user, session = question["claims"]&.values_at("sub", "sid")
    visitor = user ? Realtime::Visitor.new(question["site"], user, session.to_s) : visitor_of(question.dig("headers", "cookie"))
    # A cookie says which tenant's site somebody may enter: no other.
    if role(visitor).nil? || visitor.site != question["site"]
      refuse("signed-out", "Sign in first")
    elsif !welcome?(visitor)
      { disconnect: { code: "blocked", reason: "This account is blocked" } }
    else
      { user: visitor.user, session: visitor.session, info: { name: USERS[visitor.user][:name] }, until: Time.now.to_i + 3600,
        subscriptions: [{ topic: "News_Topic" }] }
    end
  end,
  "refresh" => lambda do |question|
    welcome?(asker_of(question)) ? { until: Time.now.to_i + 3600 } : refuse("signed-out", "Sign in again")
  end,
  "subscribe" => lambda do |question|
    REALTIME.require_permission(asker_of(question), question["topic"], question["filter"] || {})
    {}
  rescue Realtime::Refusal => refusal
    refuse("forbidden", refusal.message)
  end,
  # What a client wants to publish.
  "publish" => lambda do |question|
    text = question["data"]["text"]
    text = text.is_a?(String) ? text.strip : ""
    if question["topic"] != "Chat_Message_Topic" || !welcome?(asker_of(question))
      refuse("forbidden", "Only the chat is open to clients")
    elsif !text.length.between?(1, 1000)
      refuse("invalid", "text has 1 to 1000 characters")
    else
      { data: { text: text, by: question["user"] } }
    end
  end,
  # A method of its own, or a route: `rpc("post:say", {...})` answers {status, body}.
  "rpc" => lambda do |question|
    visitor = asker_of(question)
    visitor = nil unless role(visitor)
    method, data = question.values_at("method", "data")
    verb, path = method.split(":", 2)
    if METHODS.key?(method)
      { data: METHODS[method].call(visitor, data) }
    elsif path
      status, body = call_route(verb.upcase, "/#{path.delete_prefix("/")}", visitor, data.is_a?(Hash) ? data : {})
      { data: { status: status, body: body } }
    else
      raise Realtime::Refusal.new("not-found", "There is no such method")
    end
  end
}.freeze

def answer_hook(question)
  return {} if question.key?("events") # notices: somebody to keep a list of who is online would look at them

  answer = HOOKS[question["event"]]
  answer ? answer.call(question) : refuse("unknown-event", "This backend does not know that question")
end

# ---- HTTP, as much of it as is needed behind a proxy

Request = Struct.new(:verb, :target, :headers, :body)

MOST_BYTES = 256 * 1024

def read_request(io)
  verb, target = io.gets("\n", 8192).to_s.split
  return if target.nil?

  headers = {}
  while (line = io.gets("\n", 8192).to_s.chomp) != ""
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
    raise Realtime::Refusal.new("bad-request", "Too many headers") if headers.size > 100
  end
  length = headers.fetch("content-length", "0")
  unless length.match?(/\A\d{1,9}\z/) && !headers.key?("transfer-encoding")
    raise Realtime::Refusal.new("bad-request", "Send content-length")
  end
  # Whoever is still sending reads no answer.
  body = io.read([length.to_i, 4 * MOST_BYTES].min)
  raise Realtime::Refusal.new("too-large", "At most 256 KiB") if length.to_i > MOST_BYTES

  Request.new(verb, target, headers, body.to_s)
end

def respond(request)
  path = request.target.split("?", 2).first
  posted = request.verb == "POST"
  return [200, answer_hook(REALTIME.read_hook(request.headers, request.body))] if posted && path == "/hooks"

  visitor = caller_of(request)
  kind = request.headers["content-type"]
  return [200, REALTIME.answer_token_request(request.verb, kind, request.body, visitor)] if path == "/realtime"

  input = posted ? Realtime.read_json(kind, request.body) : {}
  posted && path == "/sign-in" ? sign_in(input) : call_route(request.verb, path, visitor, input)
end

# Who asks: a relay on behalf of a page, or a page itself.
def caller_of(request)
  return visitor_of(request.headers["cookie"]) unless request.headers.key?("webhook-signature")

  visitor = REALTIME.read_caller(request.verb, request.target, request.headers, request.body)
  visitor if role(visitor)
end

def serve(io)
  request = Timeout.timeout(15) { read_request(io) } or return
  write(io, *respond(request))
rescue Realtime::Refusal => refusal
  write(io, refusal.status, { error: refusal.error })
rescue Timeout::Error, SystemCallError, IOError
  nil # gone
rescue StandardError => e
  warn e.full_message
  write(io, 500, { error: Realtime::Refusal.new("internal", "The backend failed").error })
ensure
  io.close
end

def write(io, status, body, cookie = nil)
  json = JSON.generate(body)
  head = ["HTTP/1.1 #{status} -", "content-type: application/json", "cache-control: no-store", "content-length: #{json.bytesize}",
          "connection: close"]
  head << "set-cookie: #{cookie}" if cookie
  io.write("#{head.join("\r\n")}\r\n\r\n#{json}")
rescue SystemCallError, IOError
  nil # gone
end

if $PROGRAM_NAME == __FILE__
  port = ENV.fetch("PORT", "8080").to_i
  server = TCPServer.new("127.0.0.1", port)
  puts "Listening on http://127.0.0.1:#{port}"
  $stdout.flush
  trap("INT") { exit }
  trap("TERM") { exit }
  Array.new(16) { Thread.new { loop { serve(server.accept) } } }.each(&:join)
end
