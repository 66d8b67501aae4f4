// SPDX-License-Identifier: Apache-2.0
#include "tests/packet/tcp_script.h"

#include <cstring>

#include "l4/tcp/coalesce.h"
#include "l4/tcp/wire.h"
#include "tests/support/packets_on_the_wire.h"

namespace sluice::test {

using l4::tcp::Header;
using l4::tcp::SeqNum;

// ---- The user

void RecordingUser::note(std::string line, Instant now) {
  log.push_back(line);
  if (then) then(line, now);
}
void RecordingUser::on_open(Instant now) { note("open", now); }
void RecordingUser::on_data(BufChain data, Instant now) {
  const std::string text = data.to_string();
  received += text;
  if (consumes) stream->consumed(text.size(), now);
  note("data " + (text.size() <= 32 ? text : std::to_string(text.size())), now);
}
void RecordingUser::on_writable(Instant now) { note("writable", now); }
void RecordingUser::on_peer_closed(Instant now) { note("peer closed", now); }
void RecordingUser::on_closed(l4::CloseReason reason, Instant now) {
  stream = nullptr;
  note("closed " + std::string(l4::to_string(reason)), now);
}

// ---- The wire

namespace {

constexpr std::pair<char, std::uint8_t> kFlagLetters[] = {
    {'S', l4::tcp::kSyn}, {'F', l4::tcp::kFin}, {'R', l4::tcp::kRst}, {'P', l4::tcp::kPsh},
    {'U', l4::tcp::kUrg}, {'E', l4::tcp::kEce}, {'W', l4::tcp::kCwr}, {'.', l4::tcp::kAck}};

char pattern(std::uint32_t position) { return static_cast<char>('a' + position % 26); }

}  // namespace

net::Packet TcpScript::packet_of(const TraceSegment& t, std::string_view text) {
  Header h;
  h.source_port = remote.port;
  h.destination_port = local.port;
  for (const auto& [letter, bit] : kFlagLetters) {
    if (t.flags.find(letter) != std::string::npos) h.flags |= bit;
  }
  h.seq = SeqNum(peer_isn + t.seq);
  if (t.ack) h.ack = SeqNum(iss_ + *t.ack);
  h.window = static_cast<std::uint16_t>(t.window.value_or(60000));
  if (t.mss) h.options.mss = static_cast<std::uint16_t>(*t.mss);
  if (t.wscale) h.options.window_scale = static_cast<std::uint8_t>(*t.wscale);
  h.options.sack_permitted = t.sack_ok;
  if (t.ts) h.options.timestamp = l4::tcp::Timestamp{t.ts_value.value_or(0), t.ts_echo.value_or(0)};
  for (const auto& [a, b] : t.sack) h.options.add_sack({SeqNum(iss_ + a), SeqNum(iss_ + b)});

  net::Packet p;
  p.flow = {local, remote};
  p.protocol = 6;
  p.tos = t.ip.value_or(0);
  p.header_len = static_cast<std::uint16_t>(l4::tcp::header_size(h.options));
  Buf b = buffers().alloc();
  l4::tcp::write_header({b.append(p.header_len), p.header_len}, h);
  std::string payload(text);
  // SYN and FIN take no payload bytes: the length of a line is that of its text.
  for (std::uint32_t i = 0; payload.size() < t.length; ++i) payload += pattern(t.seq - 1 + i);
  std::memcpy(b.append(payload.size()), payload.data(), payload.size());
  p.chain.push_back(std::move(b));
  return p;
}

TraceSegment TcpScript::trace_of(const net::OutPacket& p) {
  const auto first = BufChain::view(p.chain.front());
  const std::size_t header_len = static_cast<std::size_t>(first[12] >> 4) * 4;
  EXPECT_GE(first.size(), header_len);
  const auto h = l4::tcp::parse_header(first.first(header_len));
  EXPECT_TRUE(h.has_value());
  if (!iss_known_ && h->has(l4::tcp::kSyn)) {
    iss_known_ = true;
    iss_ = h->seq.value();
  }
  if (!any_remote && remote.port != h->destination_port)
    ADD_FAILURE() << "to another port: " << h->destination_port;
  TraceSegment t;
  for (const auto& [letter, bit] : kFlagLetters) {
    if (h->flags & bit) t.flags += letter;
  }
  t.seq = h->seq.value() - iss_;
  if (!iss_known_) t.seq = h->seq.value();
  t.length = static_cast<std::uint32_t>(p.chain.size() - header_len);
  if (h->has(l4::tcp::kAck)) t.ack = h->ack.value() - peer_isn;
  t.window = h->window;
  t.ip = p.tos & 3;
  t.options_given = true;
  if (h->options.mss) t.mss = *h->options.mss;
  if (h->options.window_scale) t.wscale = *h->options.window_scale;
  t.sack_ok = h->options.sack_permitted;
  if (h->options.timestamp) {
    t.ts = true;
    t.ts_value = h->options.timestamp->value;
    t.ts_echo = h->options.timestamp->echo;
  }
  for (const auto& b : h->options.sacks())
    t.sack.emplace_back(b.begin.value() - peer_isn, b.end.value() - peer_isn);
  return t;
}

void TcpScript::send(std::span<net::OutPacket> batch, Instant) {
  handed_down_ += batch.size();
  packets_on_the_wire(batch, [&](net::OutPacket& p) {
    EXPECT_LE(p.chain.segments(), 1 + l4::tcp::kMaxWireBuffers);
    // The wall's promises: room for the lower headers, a first segment that may be written, no checksum yet.
    Buf first = p.chain.pop_front();
    EXPECT_GE(first.headroom(), net::kTxHeadroom);
    EXPECT_TRUE(first.exclusive());
    EXPECT_EQ(first.data()[16] | first.data()[17], 0);
    BufChain whole(std::move(first));
    whole.append(std::move(p.chain));
    p.chain = std::move(whole);
    EXPECT_EQ(p.protocol, 6);
    EXPECT_EQ(p.source, local.address);
    EXPECT_EQ(p.destination, remote.address);
    sent_.push_back({trace_of(p), now_});
    p.chain.clear();
  });
}

// ---- The script

TcpScript::TcpScript() : buffers_before_(free_buffers()) {
  config.max_receive_buffer = config.max_send_buffer = 0;  // a script that wants them to grow says so
  config.ecn = false;                                      // so with these
  config.pacing = false;
  config.secret[0] = 0x0123456789abcdef;
  config.secret[1] = 0xfedcba9876543210;
}

TcpScript::~TcpScript() = default;

void TcpScript::TearDown() {
  expect_nothing();
  stack_.reset();
  users_.clear();
  EXPECT_EQ(timers_.armed_count(), 0u);
  EXPECT_EQ(free_buffers(), buffers_before_) << "buffers leaked";
}

l4::tcp::Stack& TcpScript::stack() {
  if (!stack_) {
    const WorkerServices services{WorkerId{0}, 1, buffers(), timers_, *this, drops_, ports, start_};
    stack_ = std::make_unique<l4::tcp::Stack>(config, services, *this);
  }
  return *stack_;
}

l4::StreamEvents* TcpScript::accept(l4::Stream& stream, Instant) {
  if (!accepting) return nullptr;
  users_.push_back(std::make_unique<RecordingUser>());
  users_.back()->stream = &stream;
  return users_.back().get();
}

void TcpScript::send(std::string_view line, std::string_view text) {
  net::Packet p = packet_of(TraceSegment::parse(line), text);
  stack().input({&p, 1}, now_);
  flush();
}

void TcpScript::send_batch(const std::vector<std::string>& lines) {
  std::vector<net::Packet> batch;
  for (const auto& line : lines) batch.push_back(packet_of(TraceSegment::parse(line), {}));
  stack().input(batch, now_);
  flush();
}

void TcpScript::flush() { stack().flush(now_); }

void TcpScript::expect(std::string_view line) {
  ASSERT_FALSE(sent_.empty()) << "expected " << line << ", nothing was sent";
  const TraceSegment actual = sent_.front().segment;
  sent_.pop_front();
  last_timestamp_ = actual.ts_value.value_or(0);
  EXPECT_TRUE(TraceSegment::parse(line).matches(actual))
      << "expected " << line << "\n  but got " << actual.to_string();
}

void TcpScript::expect_at(Duration time, std::string_view line) {
  expect_nothing_until(time - 1us);
  step_to(start_ + time + 2 * TimerWheel::kTick);
  ASSERT_FALSE(sent_.empty()) << "expected " << line << ", nothing was sent";
  expect(line);
  now_ = std::max(now_, start_ + time);
}

void TcpScript::expect_nothing() {
  for (const Sent& s : sent_) {
    ADD_FAILURE() << "not expected at " << (s.time - start_) / 1us << " us: " << s.segment.to_string();
  }
  sent_.clear();
}

void TcpScript::expect_nothing_until(Duration time) {
  at(time);
  expect_nothing();
}

void TcpScript::at(Duration time) { step_to(start_ + time); }

void TcpScript::step_to(Instant t) {
  stack();
  while (now_ < t) {
    const Instant due = timers_.next_deadline();
    now_ = std::min(t, std::max(now_ + TimerWheel::kTick, due == kNever ? t : due));
    timers_.advance(now_);
    flush();
  }
}

void TcpScript::expect_events(const std::vector<std::string>& lines) {
  ASSERT_FALSE(users_.empty()) << "there is no user";
  EXPECT_EQ(user().log, lines);
  user().log.clear();
}

l4::tcp::ConnectResult TcpScript::connect() {
  users_.push_back(std::make_unique<RecordingUser>());
  const auto r = stack().connect(remote, users_.back().get(), now_);
  if (r.stream != nullptr) {
    users_.back()->stream = r.stream;
    local.port = r.stream->flow().local.port;
  }
  flush();
  return r;
}

void TcpScript::establish(std::string_view options, unsigned window, Duration rtt) {
  const TraceSegment offer = TraceSegment::parse("S 0:0(0) " + std::string(options));
  const std::string ts = offer.ts ? " <TS val " + std::to_string(*offer.ts_value) + " ecr 0>" : "";
  send("S 0:0(0) win 60000 " + std::string(options));
  expect("S. 0:0(0) ack 1");
  at(rtt);
  send(". 1:1(0) ack 1 win " + std::to_string(window) + ts);
  expect_nothing();
  ASSERT_FALSE(users_.empty());
  expect_events({"open"});
}

void TcpScript::user_sends(std::size_t bytes) {
  std::string text;
  for (std::uint32_t i = 0; i < bytes; ++i) text += pattern(i);
  user_sends(text);
}

void TcpScript::user_sends(std::string_view text) {
  stream().send(chain_of(text), now_);
  flush();
}

void TcpScript::user_shuts_down() {
  stream().shutdown(now_);
  flush();
}

void TcpScript::user_aborts() {
  l4::Stream* s = std::exchange(user().stream, nullptr);
  s->abort(now_);
  flush();
}

net::Packet TcpScript::packet_with_ack(std::uint32_t absolute_ack, std::uint32_t seq, std::string_view text) {
  TraceSegment t;
  t.flags = ".";
  t.seq = seq;
  t.length = static_cast<std::uint32_t>(text.size());
  t.ack = absolute_ack - iss_;
  return packet_of(t, text);
}

void TcpScript::forget_peer() { iss_known_ = false; }

void TcpScript::icmp(net::IcmpError::Kind kind, std::uint32_t relative_seq, std::uint16_t mtu) {
  stack().on_icmp_error({kind, {local, remote}, 6, mtu, iss_ + relative_seq}, now_);
  flush();
}

}  // namespace sluice::test
