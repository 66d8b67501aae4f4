// SPDX-License-Identifier: Apache-2.0
// The record layer of a connection that was taken over, from both sides of its AEAD: records that its peer might seal,
// whatever is in them, and bytes that nobody sealed. The first byte is the suite, and by its highest bit who is under test: our
// server's end, or our client's end towards a backend. Then come steps of 4 bytes: what, and
// three arguments; some take content behind them. What it opens must be what was sealed, in order, and nothing
// else; what it seals must come out of the other end. At the end nothing may have leaked.
#include <algorithm>

#include "tests/fuzz/input.h"
#include "tests/unit/l7_tls/record_link.h"

namespace {

using namespace sluice;
using namespace sluice::l7::tls;
using fuzz::Bytes;
using fuzz::require;
using l7::tls::test::pattern;
using l7::tls::test::RecordLink;
using Result = Records::Result;

constexpr std::size_t kMostSegments = 1000;  // of the pool's buffers, in one step
constexpr std::uint16_t kSuites[] = {0x1301, 0x1302, 0x1303, 0xc02f, 0xc030, 0xcca8};

class World {
 public:
  World(std::uint16_t suite, RecordLink::Under under) : link_(suite, under) {}

  void step(Bytes& in) {
    const std::uint8_t what = in.byte(), a = in.byte(), b = in.byte(), c = in.byte();
    const std::size_t segment = 1 + std::size_t{c} * 8;
    switch (what % 7) {
      case 0: return receive(data(in.take(a)), segment);
      case 1: return receive(data(pattern((std::size_t{a} << 8 | b) % 16385)), segment);
      case 2: return receive(forged(static_cast<ContentType>(b), in.take(a)), segment);
      case 3: return receive(std::string(in.take(a)), segment);
      case 4: return key_update(b, segment);
      case 5: return changed(data(in.take(a)), b, segment);
      case 6: return send((std::size_t{a} << 8 | b), segment, what >= 128);
    }
  }
  bool over() const { return over_; }

 private:
  std::string data(std::string_view content) {
    sealed_ += content;
    return link_.forge(ContentType::kApplicationData, content);
  }
  std::string forged(ContentType type, std::string_view content) {
    if (type == ContentType::kApplicationData) return data(content);
    if (type == ContentType{0} && link_.suite.tls13) {
      // Behind zeros the last byte of the content is the type.
      const std::size_t last = content.find_last_not_of('\0');
      if (last != std::string_view::npos && content[last] == '\x17') sealed_ += content.substr(0, last);
    }
    return link_.forge(type, content);
  }
  void receive(const std::string& wire, std::size_t segment) {
    const Result r = link_.receive(wire, std::max(segment, wire.size() / kMostSegments + 1));
    require(sealed_.starts_with(link_.opened), "opened what was not sealed");
    require(r != Result::kNoBuffers, "no buffers");
    // What it answers takes a sequence number; the other end bears only so many warnings.
    link_.peer().queues.in.append(std::move(link_.tested().queues.out));
    BufChain nothing;
    over_ = link_.peer().records.open(nothing, 1) != Result::kNeedMore || r != Result::kNeedMore;
    require(nothing.empty(), "it sent data by itself");
  }
  void key_update(std::uint8_t request, std::size_t segment) {
    const char message[] = {0x18, 0, 0, 1, static_cast<char>(request & 1)};
    receive(link_.forge(ContentType::kHandshake, {message, sizeof message}), segment);
    if (link_.suite.tls13) link_.rekey_forger();
  }
  void changed(std::string wire, std::uint8_t at, std::size_t segment) {
    wire[at % wire.size()] = static_cast<char>(wire[at % wire.size()] ^ (1 << at % 8));
    receive(wire, segment);
  }
  void send(std::size_t n, std::size_t segment, bool shared) {
    segment = std::clamp<std::size_t>(segment, n / kMostSegments + 1, 2000);
    BufChain plain = sluice::test::chain_of(pattern(n), segment);
    const BufChain others = shared ? plain.share(0, plain.size(), sluice::test::buffers()) : BufChain();
    std::string back;
    while (!plain.empty()) {
      if (link_.tested().records.seal(plain, link_.now) != Result::kDone) return stop();
      link_.peer().queues.in.append(std::move(link_.tested().queues.out));
      BufChain opened;
      require(link_.peer().records.open(opened, 1 << 20) == Result::kNeedMore, "sealed what does not open");
      back += opened.to_string();
    }
    require(back == pattern(n), "sealed something else");
    require(!shared || others.to_string() == back, "wrote to memory of others");
  }
  void stop() { over_ = true; }

  RecordLink link_;
  std::string sealed_;
  bool over_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::test::start_eal("tls_records_fuzz");
  const std::size_t before = sluice::test::free_buffers();
  {
    Bytes in{{reinterpret_cast<const char*>(data), size}};
    const std::uint8_t first = in.byte();
    World w(kSuites[(first & 0x7f) % std::size(kSuites)], (first & 0x80) != 0 ? RecordLink::Under::kClient : RecordLink::Under::kServer);
    for (int steps = 0; !in.rest.empty() && !w.over() && steps < 64; ++steps) w.step(in);
  }
  require(sluice::test::free_buffers() == before, "buffers leaked");
  return 0;
}
