// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/flight.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sluice::l4::tcp {
namespace {

using namespace std::chrono_literals;

SackBlock block(std::uint32_t a, std::uint32_t b) { return {SeqNum(a), SeqNum(b)}; }

struct FlightTest : testing::Test {
  Flight::Pool pool{64};
  Flight f{pool};
  std::uint32_t at = 1000;

  void send(std::uint32_t n, Instant t) {
    ASSERT_TRUE(f.sent(SeqNum(at), SeqNum(at + n), t));
    at += n;
  }
  std::uint32_t sack(std::uint32_t a, std::uint32_t b) {
    return f.sack(block(a, b), [](const SentSegment&) {});
  }
  std::uint32_t ack(std::uint32_t a) {
    return f.acknowledge(SeqNum(a), [](const SentSegment&) {});
  }
};

TEST_F(FlightTest, sacked_and_lost_bytes_leave_the_pipe_and_what_is_sent_again_joins_it) {
  for (int i = 0; i < 5; ++i) send(1000, Instant(1s));
  EXPECT_EQ(f.in_flight(), 5000u);
  EXPECT_EQ(sack(2000, 4000), 2000u);
  EXPECT_EQ(sack(2000, 4000), 0u);
  EXPECT_EQ(f.sacked_ranges(), 1u);  // joined
  f.mark_lost(*f.first());
  EXPECT_EQ(f.in_flight(), 2000u);
  f.sent_again(*f.first_lost(), Instant(2s));
  EXPECT_EQ(f.in_flight(), 3000u);
  EXPECT_EQ(f.lost(), 0u);
  EXPECT_EQ(ack(4000), 1000u) << "what was SACKed was delivered before";
  EXPECT_EQ(f.in_flight(), 2000u);
  EXPECT_EQ(f.sacked(), 0u);
}

TEST_F(FlightTest, segments_in_flight_are_in_the_order_of_sending) {
  for (int i = 0; i < 3; ++i) send(1000, Instant(1s) + i * 1ms);
  f.mark_lost(*f.first());
  f.sent_again(*f.first_lost(), Instant(2s));
  EXPECT_EQ(f.first_sent()->begin, SeqNum(2000));
  EXPECT_EQ(Flight::next_sent(*Flight::next_sent(*f.first_sent()))->begin, SeqNum(1000));
}

TEST_F(FlightTest, lost_segments_are_in_the_order_of_their_bytes_and_revived_ones_in_that_of_sending) {
  for (int i = 0; i < 4; ++i) send(1000, Instant(1s) + i * 1ms);
  f.mark_lost(*f.last());
  f.mark_lost(*f.first());
  EXPECT_EQ(f.first_lost()->begin, SeqNum(1000));
  f.revive_lost();
  EXPECT_EQ(f.lost(), 0u);
  EXPECT_EQ(f.first_sent()->begin, SeqNum(1000));
}

TEST_F(FlightTest, lost_neighbours_are_cut_to_the_segment_size_of_the_moment) {
  for (int i = 0; i < 3; ++i) send(1460, Instant(1s));
  f.mark_all_lost(false);
  f.resize_lost(*f.first_lost(), 960);
  EXPECT_EQ(f.first_lost()->size(), 960u);
  f.sent_again(*f.first_lost(), Instant(2s));
  f.resize_lost(*f.first_lost(), 960);
  EXPECT_EQ(f.first_lost()->begin, SeqNum(1960));
  EXPECT_EQ(f.first_lost()->size(), 960u) << "500 of the first and 460 of the next";
  EXPECT_EQ(f.lost() + f.in_flight(), 3u * 1460);
}

TEST_F(FlightTest, without_a_place_segments_share_a_record_and_no_byte_is_lost_track_of) {
  for (int i = 0; i < 80; ++i) send(10, Instant(1s));
  EXPECT_EQ(f.segments(), 48u) << "the rest is for connections that have none";
  EXPECT_EQ(f.in_flight(), 800u);
  EXPECT_EQ(f.last()->end, SeqNum(1800));
  EXPECT_EQ(sack(1795, 1800), 0u) << "cannot be split";
  EXPECT_EQ(ack(1800), 800u);
  EXPECT_TRUE(f.empty());
  EXPECT_EQ(pool.live(), 0u);
}

TEST_F(FlightTest, records_run_out_for_those_who_have_many_first) {
  send(1000, Instant(1s));
  for (std::uint32_t i = 0; i < 100; ++i) sack(1001 + 2 * i, 1002 + 2 * i);
  Flight other{pool};
  EXPECT_TRUE(other.sent(SeqNum(1), SeqNum(2), Instant(1s)));
}

TEST(Flight, reports_of_single_bytes_are_recorded_up_to_a_bound) {
  Flight::Pool pool{65536};
  Flight f{pool};
  f.sent(SeqNum(1), SeqNum(3001), Instant(1s));
  f.sent(SeqNum(3001), SeqNum(4001), Instant(1s));
  for (std::uint32_t i = 0; i < 1000; ++i) f.sack(block(2 + 2 * i, 3 + 2 * i), [](const SentSegment&) {});
  EXPECT_EQ(f.sacked_ranges(), Flight::kMaxCutRanges);
  EXPECT_EQ(f.sack(block(3001, 4001), [](const SentSegment&) {}), 1000u) << "a whole segment";
}

TEST_F(FlightTest, a_receiver_that_takes_its_reports_back_leaves_all_lost) {
  for (int i = 0; i < 3; ++i) send(1000, Instant(1s));
  sack(2000, 4000);
  f.mark_all_lost(true);
  EXPECT_EQ(f.lost(), 3000u);
  EXPECT_EQ(f.sacked(), 0u);
}

/// Blocks far apart, one after another. The least of several times, so that a busy machine does not tell.
Duration time_of_far_lookups(std::uint32_t segments) {
  Flight::Pool pool{8192};
  Flight f{pool};
  for (std::uint32_t i = 0; i < segments; ++i) f.sent(SeqNum(10 * i), SeqNum(10 * i + 10), Instant(1s));
  Duration least = 1h;
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < 2000; ++i) {
      const std::uint32_t at = 10 * (i * 2654435761u % segments);
      f.sack(block(at + 10, at + 10), [](const SentSegment&) {});  // empty: nothing changes
    }
    least = std::min<Duration>(least, std::chrono::steady_clock::now() - start);
  }
  return least;
}

TEST(Flight, a_block_is_found_in_no_time_that_grows_with_the_segments) {
  EXPECT_LT(time_of_far_lookups(4096), 12 * time_of_far_lookups(64));  // each: 64 times as long
}

/// Against a map from each byte to its state, across the wrap.
TEST(Flight, agrees_with_a_map_of_bytes) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Flight::Pool pool{200};
    Flight f{pool};
    std::map<std::uint32_t, SentSegment::State> model;
    const std::uint32_t base = 0xffffff80;
    std::uint32_t una = 0, nxt = 0;
    Instant now(1s);
    const auto count = [&](SentSegment::State s) {
      return std::count_if(model.begin(), model.end(), [&](const auto& e) { return e.second == s; });
    };
    for (int i = 0; i < 200; ++i) {
      now += 1ms;
      switch (random() % 6) {
        case 0:
        case 1: {
          const std::uint32_t n = 1 + random() % 20;
          ASSERT_TRUE(f.sent(SeqNum(base + nxt), SeqNum(base + nxt + n), now));
          for (std::uint32_t x = nxt; x < nxt + n; ++x) model[x] = SentSegment::State::kInFlight;
          nxt += n;
          break;
        }
        case 2: {
          if (nxt - una < 2) break;
          const std::uint32_t a = una + 1 + random() % (nxt - una - 1), b = a + 1 + random() % (nxt - a);
          std::uint32_t news = 0;
          for (std::uint32_t x = a; x < b; ++x) {
            news += model[x] != SentSegment::State::kSacked;
            model[x] = SentSegment::State::kSacked;
          }
          EXPECT_EQ(f.sack(block(base + a, base + b), [](const SentSegment&) {}), news) << "seed " << seed;
          break;
        }
        case 3: {
          SentSegment* s = f.first_sent();
          for (unsigned skip = random() % 3; s != nullptr && skip > 0; --skip) s = Flight::next_sent(*s);
          if (s == nullptr) break;
          for (std::uint32_t x = s->begin.value() - base; x != s->end.value() - base; ++x)
            model[x] = SentSegment::State::kLost;
          f.mark_lost(*s);
          break;
        }
        case 4: {
          SentSegment* s = f.first_lost();
          if (s == nullptr) break;
          f.resize_lost(*s, 1 + random() % 15);
          for (std::uint32_t x = s->begin.value() - base; x != s->end.value() - base; ++x)
            model[x] = SentSegment::State::kInFlight;
          f.sent_again(*s, now);
          break;
        }
        default: {
          const std::uint32_t n = random() % (nxt - una + 1) / 3;
          const auto end = model.lower_bound(una + n);
          const auto news = std::count_if(
              model.begin(), end, [](const auto& e) { return e.second != SentSegment::State::kSacked; });
          model.erase(model.begin(), end);
          una += n;
          EXPECT_EQ(f.acknowledge(SeqNum(base + una), [](const SentSegment&) {}), news) << "seed " << seed;
        }
      }
      ASSERT_EQ(f.in_flight(), count(SentSegment::State::kInFlight)) << "seed " << seed;
      ASSERT_EQ(f.lost(), count(SentSegment::State::kLost)) << "seed " << seed;
      ASSERT_EQ(f.sacked(), count(SentSegment::State::kSacked)) << "seed " << seed;
      Instant before{};
      for (SentSegment* s = f.first_sent(); s != nullptr; s = Flight::next_sent(*s)) {
        ASSERT_GE(s->sent_at, before);
        before = s->sent_at;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::l4::tcp
