// SPDX-License-Identifier: Apache-2.0
// Sequences of segments, user calls and time into a stack. Whatever the peer sends: no byte reaches the user
// that was not sent for its position, nothing goes out that the user did not write there, the window's right
// edge never moves left, only new data is marked as ECN-capable, streams are told in order, no more
// connections are kept than the bound says, and no buffer is lost.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "dataplane/base/timer_wheel.h"
#include "l4/tcp/ecn.h"
#include "l4/tcp/stack.h"
#include "l4/tcp/wire.h"
#include "tests/fuzz/input.h"
#include "tests/support/eal.h"
#include "tests/support/packets_on_the_wire.h"

namespace {

using namespace sluice;
using fuzz::require;
using l4::tcp::SeqNum;

/// The byte that belongs at a position of a direction's stream.
std::uint8_t byte_at(std::uint32_t position) {
  return static_cast<std::uint8_t>((position * 2654435761u) >> 17);
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  std::uint8_t u8() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::uint16_t u16() { return static_cast<std::uint16_t>(u8() << 8 | u8()); }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

class World final : public l4::StreamEvents, public l4::tcp::Acceptor, public net::IpOutput {
 public:
  World() {
    l4::tcp::Config c;
    c.receive_buffer = 8192;
    c.send_buffer = 8192;
    c.max_receive_buffer = 0;  // check_sent() reckons without scaling
    c.max_connections = 4;
    c.max_backlog = 2;
    c.max_time_wait = 2;
    const WorkerServices services{WorkerId{0}, 1,      test::buffers(),       timers_,
                                  *this,       drops_, PortRange{5000, 5003}, now_};
    stack_ = std::make_unique<l4::tcp::Stack>(c, services, *this);
  }

  void run(Input in) {
    for (int steps = 0; !in.empty() && steps < 500; ++steps) step(in);
    stack_.reset();
    require(timers_.armed_count() == 0, "timer left armed");
  }

 private:
  // ---- The user
  void on_open(Instant) override { require(stream_ != nullptr && !open_, "open twice"), open_ = true; }
  void on_data(BufChain data, Instant now) override {
    require(open_ && !peer_closed_, "data out of place");
    const std::string text = data.to_string();
    for (const char c : text)
      require(static_cast<std::uint8_t>(c) == byte_at(received_++), "wrong byte for the user");
    held_ += text.size();
    if (abort_in_data_) stop(now);
  }
  void on_writable(Instant) override { require(open_, "writable out of place"); }
  void on_peer_closed(Instant) override {
    require(open_ && !peer_closed_, "peer closed twice");
    peer_closed_ = true;
  }
  void on_closed(l4::CloseReason, Instant) override {
    require(stream_ != nullptr, "closed after the end");
    stream_ = nullptr;
  }
  void start(l4::Stream* s) {
    stream_ = s;
    open_ = peer_closed_ = abort_in_data_ = shut_ = false;
    received_ = written_ = 0;
    held_ = 0;
  }
  void stop(Instant now) {
    if (l4::Stream* s = std::exchange(stream_, nullptr)) s->abort(now);
  }

  // ---- What the stack asks
  bool listens(const Endpoint& at) const override { return at.port == 80; }
  l4::StreamEvents* accept(l4::Stream& s, Instant) override {
    if (stream_ != nullptr) return nullptr;
    start(&s);
    return this;
  }
  std::uint16_t mtu(const IpAddr&) const override { return 1500; }
  std::optional<IpAddr> source_for(const IpAddr&) const override { return local_.address; }
  void send(std::span<net::OutPacket> batch, Instant) override {
    test::packets_on_the_wire(batch, [&](net::OutPacket& p) {
      check_sent(p.chain.to_string(), p.tos);
      p.chain.clear();
    });
  }

  void check_sent(const std::string& bytes, std::uint8_t tos) {
    const auto* raw = reinterpret_cast<const std::uint8_t*>(bytes.data());
    require(bytes.size() >= 20 && bytes.size() <= 1480, "length of a segment");
    const std::size_t header = static_cast<std::size_t>(raw[12] >> 4) * 4;
    const auto h = l4::tcp::parse_header({raw, header});
    require(h.has_value(), "header that we cannot read ourselves");
    const std::uint8_t ecn = tos & l4::tcp::kEcnMask;
    require(ecn == l4::tcp::kNotEct || ecn == l4::tcp::kEct0, "codepoint");
    require(ecn == l4::tcp::kNotEct || bytes.size() > header, "a segment without text is marked");
    if (h->has(l4::tcp::kRst)) return;
    Flow& f = flows_[h->destination_port % 8];
    if (h->has(l4::tcp::kSyn)) {
      f.iss = h->seq;
      f.snd_nxt = f.snd_max = h->seq + 1;
      f.edge = f.rcv_nxt = SeqNum(f.peer_isn);
      if (h->has(l4::tcp::kAck)) {
        f.edge = f.rcv_nxt = h->ack;
        f.peer_isn = h->ack.value() - 1;  // whichever SYN it believed
      }
      return;
    }
    if (stream_ != nullptr && open_ && h->destination_port == peer_port_) {
      const SeqNum edge = h->ack + h->window;  // 8192 bytes need no scaling
      require(edge >= f.edge, "right edge of the window moved left");
      f.edge = edge;
      const std::uint32_t at = static_cast<std::uint32_t>(h->seq - (f.iss + 1));
      for (std::size_t i = header; i < bytes.size(); ++i) {
        const std::uint32_t position = at + static_cast<std::uint32_t>(i - header);
        require(position < written_ && raw[i] == byte_at(position), "wrong byte on the wire");
      }
    }
    require(ecn == l4::tcp::kNotEct || h->seq >= f.snd_max, "what is sent again is marked");
    f.snd_nxt = h->seq + static_cast<std::uint32_t>(bytes.size() - header) + (h->has(l4::tcp::kFin) ? 1 : 0);
    f.snd_max = max(f.snd_max, f.snd_nxt);
    f.rcv_nxt = h->ack;
  }

  // ---- The peer and time
  void step(Input& in) {
    switch (in.u8() % 12) {
      case 0:
      case 1:
      case 2:
      case 3:
        return segment(in);
      case 4:
        return handshake(in);
      case 5:
        if (stream_ != nullptr && open_ && written_ < 100000) return write(1 + in.u16() % 4000);
        return;
      case 6:
        if (stream_ != nullptr) stream_->consumed(std::exchange(held_, 0), now_);
        break;
      case 7:
        if (stream_ != nullptr) {
          shut_ = true;
          stream_->shutdown(now_);
        }
        break;
      case 8:
        if (in.u8() % 4 == 0) stop(now_);
        abort_in_data_ = in.u8() % 16 == 0;
        break;
      case 9:
        if (stream_ == nullptr) {
          const auto r = stack_->connect({remote_, 4004}, this, now_);
          if (r.stream != nullptr) {
            start(r.stream);
            local_.port = r.stream->flow().local.port;
            peer_port_ = 4004;
          }
        }
        break;
      case 10: {
        net::IcmpError e{static_cast<net::IcmpError::Kind>(in.u8() % 4),
                         {local_, {remote_, peer_port_}},
                         6,
                         in.u16(),
                         flow().snd_nxt.value() - in.u8()};
        stack_->on_icmp_error(e, now_);
        break;
      }
      default:
        return pass(std::chrono::milliseconds(1 + in.u8() * in.u8()));
    }
    stack_->flush(now_);
  }

  void write(std::uint32_t n) {
    std::string text;
    for (std::uint32_t i = 0; i < n; ++i) text += static_cast<char>(byte_at(written_ + i));
    if (!shut_) written_ += n;
    stream_->send(test::chain_of(text), now_);
    stack_->flush(now_);
  }

  void pass(Duration d) {
    const Instant until = now_ + d;
    while (now_ < until) {
      const Instant due = timers_.next_deadline();
      now_ = std::min(until, std::max(now_ + TimerWheel::kTick, due));
      timers_.advance(now_);
      stack_->flush(now_);
    }
  }

  void handshake(Input& in) {
    if (stream_ != nullptr) return;
    local_.port = 80;
    peer_port_ = static_cast<std::uint16_t>(6000 + in.u8() % 4);
    l4::tcp::Header h;
    h.flags = l4::tcp::kSyn;
    h.seq = SeqNum(flow().peer_isn + 100000);  // it counts when it is answered by SYN,ACK: check_sent()
    h.window = in.u16();
    if (in.u8() % 2) h.flags |= l4::tcp::kEce | l4::tcp::kCwr;
    if (in.u8() % 2) h.options.mss = in.u16();
    if (in.u8() % 2) h.options.sack_permitted = true;
    if (in.u8() % 2) h.options.window_scale = in.u8() % 16;
    timestamps_ = in.u8() % 2;
    if (timestamps_) h.options.timestamp = l4::tcp::Timestamp{++clock_, 0};
    input(h, 0);
    h.options = {};
    if (timestamps_) h.options.timestamp = l4::tcp::Timestamp{++clock_, 0};
    h.flags = l4::tcp::kAck;
    h.seq = SeqNum(flow().peer_isn + 1);
    h.ack = flow().iss + 1;
    flow().rcv_nxt = h.seq;
    flow().snd_nxt = h.ack;
    input(h, 0);
  }

  /// Around what makes sense: near the next sequence number, near what we have sent, with all flags and
  /// options.
  void segment(Input& in) {
    static constexpr std::uint8_t kLikely[] = {0x10, 0x10, 0x18, 0x11, 0x04, 0x02, 0x12, 0x14};
    const std::uint8_t kind = in.u8();
    l4::tcp::Header h;
    h.flags = kind < 0xc0 ? kLikely[kind % 8] : in.u8();
    const auto near = [&] {
      const auto v = static_cast<std::int8_t>(in.u8());
      return static_cast<std::uint32_t>(v % 4 == 0 ? 0 : v % 4 == 1 ? v * 100 : v % 4 == 2 ? v : v * 10000);
    };
    h.seq = flow().rcv_nxt + near();
    h.ack = flow().snd_nxt + near();
    // A SYN that may be believed starts the numbers of the payload.
    if (h.has(l4::tcp::kSyn) && stream_ != nullptr && !open_) h.seq = SeqNum(flow().peer_isn);
    h.window = in.u16();
    const std::uint8_t extra = in.u8();
    if (timestamps_ != (extra % 16 == 15))
      h.options.timestamp = l4::tcp::Timestamp{clock_ += extra / 64 % 3, 0};
    for (int i = extra % 4; i > 0; --i) {
      const SeqNum at = flow().snd_nxt - in.u16() % 8192;
      h.options.add_sack({at, at + in.u16() % 2000});
    }
    const std::uint8_t size = in.u8();
    input(h, size < 128 ? size : (size - 128u) * 11u, &in);
  }

  void input(l4::tcp::Header h, std::size_t payload, Input* noise = nullptr) {
    h.source_port = peer_port_;
    h.destination_port = local_.port;
    if (h.options.timestamp && h.options.sack_count > 3) h.options.sack_count = 3;
    if (h.options.mss && h.options.sack_count > 2) h.options.mss.reset();
    net::Packet p;
    p.flow = {local_, {remote_, peer_port_}};
    p.protocol = 6;
    p.tos = noise != nullptr ? noise->u8() & 3 : 0;
    p.header_len = static_cast<std::uint16_t>(l4::tcp::header_size(h.options));
    Buf b = test::buffers().alloc();
    if (!b) return;
    std::uint8_t* at = b.append(p.header_len + payload);
    l4::tcp::write_header({at, p.header_len}, h);
    if (noise != nullptr && noise->u8() % 16 == 0) {
      for (std::size_t i = l4::tcp::kMinHeader; i < p.header_len; ++i) at[i] = noise->u8();
    }
    const std::uint32_t first = h.seq.value() - (flow().peer_isn + 1) + (h.has(l4::tcp::kSyn) ? 1 : 0);
    for (std::size_t i = 0; i < payload; ++i)
      at[p.header_len + i] = byte_at(first + static_cast<std::uint32_t>(i));
    p.chain.push_back(std::move(b));
    stack_->input({&p, 1}, now_);
    stack_->flush(now_);
    require(stack_->connections() <= 4 && stack_->stats().time_wait.get() <= 2,
            "more connections than the bound");
  }

  TimerWheel timers_{Instant(std::chrono::hours(1))};
  DropCounters drops_;
  Instant now_{std::chrono::hours(1)};
  Endpoint local_{IpAddr::v4(0x0a000001), 80};
  const IpAddr remote_ = IpAddr::v4(0x0a000002);
  std::uint16_t peer_port_ = 6000;
  /// What the wire has shown of the last connection with one port of the peer.
  struct Flow {
    std::uint32_t peer_isn = 0xffff0000;
    SeqNum iss, snd_nxt, snd_max, rcv_nxt, edge;
  };
  Flow flows_[8];
  Flow& flow() { return flows_[peer_port_ % 8]; }
  bool timestamps_ = false;
  std::uint32_t clock_ = 1000;

  l4::Stream* stream_ = nullptr;
  bool open_ = false, peer_closed_ = false, abort_in_data_ = false, shut_ = false;
  std::uint32_t received_ = 0, written_ = 0;
  std::size_t held_ = 0;
  std::unique_ptr<l4::tcp::Stack> stack_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  test::start_eal((*argv)[0]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t before = test::free_buffers();
  auto world = std::make_unique<World>();
  world->run(Input(data, size));
  world.reset();
  require(test::free_buffers() == before, "buffers lost");
  // The header alone, as the IP layer would hand it over.
  if (size >= 20) (void)l4::tcp::parse_header({data, std::min<std::size_t>(size, 60)});
  return 0;
}
