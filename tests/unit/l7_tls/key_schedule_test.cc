// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::chain_of;

// RFC 8448, 3: the traces of a simple handshake.
constexpr const char* kClientSecret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
constexpr const char* kServerSecret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
constexpr const char* kClientRecord =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292"
    "a2977014bd1e3deae63aeebb21694915e4";
constexpr const char* kServerRecord =
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0"
    "a21c0047c2abf332540dd032e167c2955d";
constexpr const char* kClientAlert = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";
constexpr const char* kServerAlert = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";

Secret secret_of(const char* hex) {
  const std::string bytes = unhex(hex);
  return Secret({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::string text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string payload() {
  std::string out(50, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i);
  return out;
}

TEST(KeySchedule, TrafficKeysAreThoseOfTheTrace) {
  const Suite& suite = *find_suite(0x1301);
  KeySchedule schedule;
  TrafficKey key;
  ASSERT_TRUE(schedule.traffic_key(suite, secret_of(kClientSecret), key));
  EXPECT_EQ(text(std::span(key.key).first(16)), unhex("17422dda596ed5d9acd890e3c63f5051"));
  EXPECT_EQ(text(key.iv), unhex("5b78923dee08579033e523d9"));
  ASSERT_TRUE(schedule.traffic_key(suite, secret_of(kServerSecret), key));
  EXPECT_EQ(text(std::span(key.key).first(16)), unhex("9f02283b6c9c07efc26bb9f2ac92e356"));
  EXPECT_EQ(text(key.iv), unhex("cf782b88dd83549aadf1e984"));
}

TEST(KeySchedule, ThePrfOfTls12IsThatOfThePublishedVector) {
  KeySchedule schedule;
  std::array<std::uint8_t, 100> out;
  const std::string seed = unhex("a0ba9f936cda311827a6f796ffd5198c");
  ASSERT_TRUE(schedule.prf(Hash::kSha256, secret_of("9bbe436ba940f017b17652849a71db35"), "test label",
                           {reinterpret_cast<const std::uint8_t*>(seed.data()), seed.size()}, out));
  EXPECT_EQ(text(out),
            unhex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0"
                  "22f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"));
}

/// The server of the trace, after its one session ticket.
struct Trace {
  Trace() {
    RecordKeys keys;
    keys.suite = find_suite(0x1301);
    keys.read.secret = secret_of(kClientSecret);
    keys.write.secret = secret_of(kServerSecret);
    keys.write.sequence = 1;
    EXPECT_TRUE(tools->schedule.traffic_key(*keys.suite, keys.read.secret, keys.read.key));
    EXPECT_TRUE(tools->schedule.traffic_key(*keys.suite, keys.write.secret, keys.write.key));
    records = std::make_unique<OwnRecords>(queues, *tools, keys);
  }
  std::unique_ptr<RecordTools> tools = std::make_unique<RecordTools>();
  CipherQueues queues{sluice::test::buffers(), {}, {}};
  std::unique_ptr<OwnRecords> records;
};

TEST(OwnRecordsTrace, OpensTheClientsRecordsAndMakesTheServers) {
  for (const std::size_t segment : {1, 5, 20, 1400}) {
    Trace t;
    t.queues.in = chain_of(unhex(kClientRecord), segment);
    BufChain plain;
    EXPECT_EQ(t.records->open(plain, 1000), Records::Result::kNeedMore);
    EXPECT_EQ(plain.to_string(), payload());
    BufChain out = chain_of(payload(), segment);
    while (!out.empty()) ASSERT_EQ(t.records->seal(out, Instant{}), Records::Result::kDone);
    EXPECT_EQ(t.queues.out.to_string(), unhex(kServerRecord));
    t.queues.out.clear();
    t.queues.in = chain_of(unhex(kClientAlert), segment);
    EXPECT_EQ(t.records->open(plain, 1000), Records::Result::kClosed);
    EXPECT_EQ(t.records->close(), Records::Result::kDone);
    EXPECT_EQ(t.queues.out.to_string(), unhex(kServerAlert));
  }
}

}  // namespace
}  // namespace sluice::l7::tls::test
