// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/packet_shape.h"

#include <gtest/gtest.h>

#include "pktgen-scripts/shape.h"

namespace sluice::pktgen::packets {
namespace {

TEST(PacketShape, AllOfAFileIsRead) {
  const auto s = parse_packet_shape(R"(
    kind = "packets"; packet = "udp"; description = "d"; flows = 1000000; client_addresses = 64; rate = 5000; burst = 64;
    loss_ppm = 10; returned = true; sizes = ( { bytes = 60; weight = 7; }, { bytes = 1514; } );)",
                                    "shapes/x.conf");
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(s->name, "x");
  EXPECT_EQ(s->description, "d");
  EXPECT_EQ(s->kind, Kind::kUdp);
  EXPECT_EQ(s->flows, 1000000u);
  EXPECT_EQ(s->client_addresses, 64u);
  EXPECT_EQ(s->rate, 5000u);
  EXPECT_EQ(s->burst, 64u);
  EXPECT_EQ(s->loss_ppm, 10u);
  EXPECT_TRUE(s->returned);
  ASSERT_EQ(s->sizes.size(), 2u);
  EXPECT_EQ(s->sizes[0].weight, 7u);
  EXPECT_EQ(s->sizes[1].bytes, 1514);
  EXPECT_EQ(s->sizes[1].weight, 1u);
}

TEST(PacketShape, TheLeastFileIsOneFlowOfTheLeastFrames) {
  const auto s = parse_packet_shape(R"(kind = "packets"; packet = "syn";)", "x");
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(s->kind, Kind::kSyn);
  EXPECT_EQ(s->flows, 1u);
  ASSERT_EQ(s->sizes.size(), 1u);
  EXPECT_EQ(s->sizes[0].bytes, 60);
}

TEST(PacketShape, EachFileOfTheTreeIsWholeAndSaysWhatItIs) {
  std::size_t found = 0;
  for (const auto& file : list_shapes(PKTGEN_SHAPES)) {
    if (!is_packet_shape(file)) continue;
    ++found;
    const auto s = load_packet_shape(file);
    ASSERT_TRUE(s.ok()) << s.error().message;
    EXPECT_FALSE(s->description.empty()) << file;
  }
  EXPECT_GE(found, 6u);
}

struct Bad {
  const char* text;
  const char* error;  ///< Part of the message.
};

class BadPacketShape : public testing::TestWithParam<Bad> {};

TEST_P(BadPacketShape, IsRefusedWithItsField) {
  const auto s = parse_packet_shape(GetParam().text, "x");
  ASSERT_FALSE(s);
  EXPECT_NE(s.error().message.find(GetParam().error), std::string::npos) << s.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    PacketShape, BadPacketShape,
    testing::Values(
        Bad{R"(packet = "udp";)", "kind"}, Bad{R"(kind = "packets";)", "packet"},
        Bad{R"(kind = "http"; packet = "udp";)", "kind"},
        Bad{R"(kind = "packets"; packet = "tcp";)", "packet"},
        Bad{R"(kind = "packets"; packet = "udp"; nonsense = 1;)", "nonsense"},
        Bad{R"(kind = "packets"; packet = "udp"; flows = 0;)", "flows"},
        Bad{R"(kind = "packets"; packet = "udp"; flows = 64513;)", "flows"},
        Bad{R"(kind = "packets"; packet = "udp"; burst = 65;)", "burst"},
        Bad{R"(kind = "packets"; packet = "udp"; sizes = ( );)", "sizes"},
        Bad{R"(kind = "packets"; packet = "udp"; sizes = ( { bytes = 59; } );)", "bytes"},
        Bad{R"(kind = "packets"; packet = "udp"; sizes = ( { bytes = 1515; } );)", "bytes"},
        Bad{R"(kind = "packets"; packet = "udp"; sizes = ( { weight = 2; } );)", "bytes"},
        Bad{R"(kind = "packets"; packet = "syn"; sizes = ( { bytes = 100; } );)", "sizes"},
        Bad{R"(kind = "packets"; packet = "established"; returned = true;)", "returned"},
        Bad{R"(kind = "packets"; packet = "established"; client_addresses = 100; flows = 1000001;)", "flows"},
        Bad{R"(kind = "packets")", "x"}));

}  // namespace
}  // namespace sluice::pktgen::packets
