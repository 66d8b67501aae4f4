// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/shape.h"

#include "pktgen-scripts/packets/packet_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::pktgen {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Shape, AFileSaysAllOfIt) {
  const auto s = parse_shape(R"(
    description = "all"; kind = "http"; connections = 7; client_addresses = 3; rate = 1000; keep_alive = false;
    request_body = 10; response_body = 20; host = "h.test"; path = "/p?q"; think_ms = 5; timeout_ms = 700; read_rate = 5000;
    tls = { version = "1.2"; suite = "S"; group = "G"; key = "rsa"; };
    impair = { loss_ppm = 1; duplicate_ppm = 2; reorder_ppm = 3; reorder_by = 4; seed = 5; };)",
                             "folder/all.conf");
  ASSERT_TRUE(s.ok()) << s.error().message;
  EXPECT_EQ(s->name, "all");
  EXPECT_EQ(s->kind, Shape::Kind::kHttp);
  EXPECT_EQ(s->connections, 7u);
  EXPECT_EQ(s->client_addresses, 3u);
  EXPECT_EQ(s->rate, 1000u);
  EXPECT_TRUE(s->connection_each());
  EXPECT_EQ(s->request_body, 10u);
  EXPECT_EQ(s->response_body, 20u);
  EXPECT_EQ(s->host, "h.test");
  EXPECT_EQ(s->path, "/p?q");
  EXPECT_EQ(s->think, 5ms);
  EXPECT_EQ(s->timeout, 700ms);
  EXPECT_EQ(s->read_rate, 5000u);
  EXPECT_TRUE(s->tls.on);
  EXPECT_EQ(s->tls.version, "1.2");
  EXPECT_EQ(s->tls.suite, "S");
  EXPECT_EQ(s->tls.group, "G");
  EXPECT_EQ(s->tls.key, "rsa");
  EXPECT_EQ(s->impair.reorder_by, 4u);
  EXPECT_EQ(s->impair.seed, 5u);
}

TEST(Shape, UnitsFollowTheKind) {
  EXPECT_EQ(parse_shape("kind = \"http\";", "x")->unit(), "requests");
  EXPECT_EQ(parse_shape("kind = \"connect\";", "x")->unit(), "connections");
  EXPECT_EQ(parse_shape("kind = \"connect\"; tls = { };", "x")->unit(), "handshakes");
  EXPECT_EQ(parse_shape("kind = \"idle\"; tls = { };", "x")->unit(), "connections");
}

struct Fault {
  const char* text;
  const char* told;
};
struct BadShape : testing::TestWithParam<Fault> {};

TEST_P(BadShape, IsRefusedWithItsPlaceAndReason) {
  const auto s = parse_shape(GetParam().text, "bad.conf");
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().message, HasSubstr("bad.conf"));
  EXPECT_THAT(s.error().message, HasSubstr(GetParam().told));
}
INSTANTIATE_TEST_SUITE_P(
    Each, BadShape,
    testing::Values(Fault{"", "kind: is missing"}, Fault{"kind = \"ftp\";", "kind: expected one of"},
                    Fault{"kind = \"http\"; colour = 1;", "colour: unknown name"},
                    Fault{"kind = \"http\"; connections = 0;", "connections: expected a whole number from 1"},
                    Fault{"kind = \"http\"; connections = \"many\";", "connections: expected a whole number"},
                    Fault{"kind = \"http\"; rate = 0;", "rate: expected a whole number from 1"},
                    Fault{"kind = \"http\"; rate = 1.5;", "rate: expected a whole number"},
                    Fault{"kind = \"http\"; path = \"pktgen\";", "path: expected a path"},
                    Fault{"kind = \"http\"; host = \"a b\";", "host: expected a text of visible characters"},
                    Fault{"kind = \"http\"; host = \"a\\r\\nX: y\";", "host: expected"},
                    Fault{"kind = \"http\"; tls = true;", "tls: expected a group"},
                    Fault{"kind = \"http\"; tls = { version = \"1.1\"; };", "tls.version: expected one of"},
                    Fault{"kind = \"http\"; tls = { resume = true; };", "resume is for kind"},
                    Fault{"kind = \"http\"; impair = { loss_ppm = 1000001; };", "impair.loss_ppm: expected"},
                    Fault{"kind = \"http\"; impair = { lost = 1; };", "impair.lost: unknown name"},
                    Fault{"kind = ", "bad.conf:1: syntax error"}));

TEST(Shape, AllFaultsAreToldAtOnce) {
  const auto s = parse_shape("kind = \"http\";\nrate = -1;\ncolour = 1;", "bad.conf");
  EXPECT_THAT(s.error().message, HasSubstr("bad.conf:2: rate"));
  EXPECT_THAT(s.error().message, HasSubstr("bad.conf:3: colour"));
}

TEST(Shape, EachFileOfTheTreeIsWholeAndSaysWhatItIs) {
  const auto files = list_shapes(PKTGEN_SHAPES);
  EXPECT_FALSE(files.empty());
  for (const auto& file : files) {
    if (packets::is_packet_shape(file)) continue;  // packet_shape_test.cc
    const auto s = load_shape(file);
    ASSERT_TRUE(s.ok()) << s.error().message;
    EXPECT_FALSE(s->description.empty()) << file;
  }
}

TEST(Shape, IsFoundByNameOrFile) {
  EXPECT_TRUE(find_shape("http-1k", PKTGEN_SHAPES).ok());
  EXPECT_TRUE(find_shape(PKTGEN_SHAPES "/http-1k.conf", "/nowhere").ok());
  EXPECT_THAT(find_shape("http-1kk", PKTGEN_SHAPES).error().message, HasSubstr("shape http-1kk: neither"));
  EXPECT_FALSE(find_shape("../shapes/http-1k", PKTGEN_SHAPES).ok());
}

}  // namespace
}  // namespace sluice::pktgen
