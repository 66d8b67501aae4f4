// SPDX-License-Identifier: Apache-2.0
#include "tests/support/link/link.h"

#include <gtest/gtest.h>

namespace sluice::test::link {
namespace {

using namespace std::chrono_literals;

Frame frame(std::size_t size, std::uint8_t mark = 0) { return Frame(size, mark); }

Impairments with(std::initializer_list<std::string_view> words) {
  Impairments i;
  for (const auto w : words) EXPECT_TRUE(i.set(w)) << w;
  return i;
}

/// Frames that come out, with their times.
std::vector<std::pair<Time, Frame>> drain(Direction& d) {
  std::vector<std::pair<Time, Frame>> out;
  while (const auto at = d.next()) out.emplace_back(*at, *d.take(*at));
  return out;
}

TEST(Link, words_set_what_they_say_and_others_are_refused) {
  const Impairments i =
      with({"mtu=1400", "loss=1%", "burst=0.001,0.25", "rate=50mbit", "queue=64k", "delay=20ms",
            "jitter=500us", "reorder=0.02,3ms", "duplicate=0.5", "corrupt=0.1", "seed=7"});
  EXPECT_EQ(i.mtu, 1400u);
  EXPECT_DOUBLE_EQ(i.loss, 0.01);
  EXPECT_DOUBLE_EQ(i.burst_end, 0.25);
  EXPECT_EQ(i.rate, 50'000'000u);
  EXPECT_EQ(i.queue, 65536u);
  EXPECT_EQ(i.delay, 20ms);
  EXPECT_EQ(i.jitter, 500us);
  EXPECT_EQ(i.reorder_by, 3ms);
  EXPECT_EQ(i.seed, 7u);
  Impairments j;
  for (const auto word :
       {"loss", "loss=2", "loss=-1", "delay=20", "rate=5", "burst=0.1", "speed=1", "mtu=x"}) {
    EXPECT_FALSE(j.set(word)) << word;
  }
}

TEST(Link, a_frame_comes_out_after_the_delay_and_not_before) {
  Direction d(with({"delay=20ms"}));
  d.put(frame(100, 7), 1s);
  EXPECT_EQ(d.next(), Time(1020ms));
  EXPECT_FALSE(d.take(1019ms));
  EXPECT_EQ(d.take(1020ms), frame(100, 7));
  EXPECT_FALSE(d.next());
}

TEST(Link, packets_that_may_be_marked_are_and_their_header_stays_good) {
  Direction d(with({"mark=1"}));
  const std::uint8_t header[] = {0x45, 0x02, 0, 20, 0, 0, 0, 0, 64, 6, 0x66, 0xe1, 10, 0, 0, 1, 10, 0, 0, 2};
  Frame ipv4(34);
  std::copy(std::begin(header), std::end(header), ipv4.begin() + 14);
  Frame not_ect = ipv4;
  not_ect[15] = 0;
  Frame ipv6(54);
  ipv6[14] = 0x60;
  ipv6[15] = 0x20;
  for (const Frame& f : {ipv4, not_ect, ipv6}) d.put(f, 0ns);
  const auto out = drain(d);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].second[15], 0x03);
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += out[0].second[i] << 8 | out[0].second[i + 1];
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);
  EXPECT_EQ(out[1].second, not_ect);
  EXPECT_EQ(out[2].second[15], 0x30);
  EXPECT_EQ(d.count(Fate::kMarked), 2u);
}

TEST(Link, the_rate_spaces_frames_and_the_queue_drops_what_does_not_fit) {
  Direction d(with({"rate=8mbit", "queue=3000"}));  // a byte a microsecond
  for (int i = 0; i < 5; ++i) d.put(frame(1000), 0ns);
  const auto out = drain(d);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].first, Time(1ms));
  EXPECT_EQ(out[2].first, Time(3ms));
  EXPECT_EQ(d.count(Fate::kQueueFull), 2u);
}

TEST(Link, loss_is_as_frequent_as_asked_for_and_the_same_for_a_seed) {
  Direction a(with({"loss=3%"})), b(with({"loss=3%"})), c(with({"loss=3%", "seed=2"}));
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    for (Direction* d : {&a, &b, &c}) d->put(frame(20, static_cast<std::uint8_t>(i)), Time(i));
  }
  EXPECT_NEAR(static_cast<double>(a.count(Fate::kLost)), 3000, 200);
  EXPECT_EQ(drain(a), drain(b));
  EXPECT_NE(a.count(Fate::kLost), c.count(Fate::kLost));
}

TEST(Link, losses_of_a_burst_come_together) {
  Direction d(with({"burst=0.001,0.2"}));
  std::size_t bursts = 0, before = 0;
  bool losing = false;
  for (int i = 0; i < 200'000; ++i) {
    d.put(frame(20), Time(i));
    const bool lost = d.count(Fate::kLost) > before;
    before = d.count(Fate::kLost);
    bursts += lost && !losing;
    losing = lost;
  }
  EXPECT_NEAR(static_cast<double>(before) / static_cast<double>(bursts), 5, 1);  // 1 / 0.2 frames
  EXPECT_NEAR(static_cast<double>(bursts), 200, 60);
}

TEST(Link, jitter_keeps_the_order_and_reordering_does_not) {
  Direction kept(with({"delay=5ms", "jitter=5ms"})), mixed(with({"delay=5ms", "reorder=10%,2ms"}));
  for (std::uint8_t i = 0; i < 200; ++i) {
    kept.put(frame(20, i), i * 100us);
    mixed.put(frame(20, i), i * 100us);
  }
  std::uint8_t at = 0;
  Time least = 10s, most = 0s;
  for (const auto& [t, f] : drain(kept)) {
    EXPECT_EQ(f[0], at);
    least = std::min(least, t - at * 100us);
    most = std::max(most, t - at * 100us);
    ++at;
  }
  EXPECT_GE(least, 5ms);
  EXPECT_LE(most, 10ms);
  EXPECT_GT(most, 8ms);
  std::size_t behind = 0;
  int last = -1;
  for (const auto& [t, f] : drain(mixed)) {
    behind += f[0] < last;
    last = std::max<int>(last, f[0]);
  }
  EXPECT_NEAR(static_cast<double>(behind), static_cast<double>(mixed.count(Fate::kReordered)),
              1);  // the last has nobody to pass it
  EXPECT_NEAR(static_cast<double>(behind), 20, 12);
}

TEST(Link, corruption_flips_one_bit_and_leaves_the_ethernet_header_alone) {
  Direction d(with({"corrupt=1"}));
  for (int i = 0; i < 500; ++i) d.put(frame(60), Time(i));
  for (const auto& [t, f] : drain(d)) {
    int bits = 0;
    for (std::size_t i = 0; i < f.size(); ++i) {
      bits += __builtin_popcount(f[i]);
    }
    EXPECT_EQ(bits, 1);
    EXPECT_EQ(Frame(f.begin(), f.begin() + 14), frame(14));
  }
}

TEST(Link, duplicates_come_twice_and_what_exceeds_the_mtu_never) {
  Direction d(with({"duplicate=1", "mtu=1000"}));
  d.put(frame(1014), 0ns);
  d.put(frame(1015), 0ns);
  EXPECT_EQ(drain(d).size(), 2u);
  EXPECT_EQ(d.count(Fate::kTooBig), 1u);
}

}  // namespace
}  // namespace sluice::test::link
