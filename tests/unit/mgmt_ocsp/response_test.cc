// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/response.h"

#include <gtest/gtest.h>

#include "mgmt/ocsp/schedule.h"
#include "tests/unit/mgmt_ocsp/authority.h"

namespace sluice::mgmt::ocsp {
namespace {

using test::Authority;
using test::Issued;
using test::ResponseSpec;

constexpr std::int64_t kNow = 1'700'000'000, kDay = 86400;

class OcspResponse : public testing::Test {
 protected:
  /// "good", "revoked", or the reason why not.
  std::string judged(const std::string& der, std::int64_t now = kNow) const {
    const auto out = verify(*certificate_, der, now);
    if (const auto* problem = std::get_if<Problem>(&out)) return std::string(to_string(problem->reason));
    EXPECT_EQ(std::get<Response>(out).der, der);
    return std::get<Response>(out).revoked ? "revoked" : "good";
  }
  std::string judged(const ResponseSpec& spec, std::int64_t now = kNow) const { return judged(ca_.respond(leaf_, spec), now); }

  const Authority ca_{"Test CA"};
  const Issued leaf_ = ca_.issue({});
  const std::shared_ptr<const l7::tls::Certificate> certificate_ = test::parsed(leaf_, &ca_);
  const ResponseSpec fine_{.this_update = kNow - kDay, .next_update = kNow + kDay};
};

TEST_F(OcspResponse, of_the_issuer_is_believed_with_its_times) {
  const auto out = verify(*certificate_, ca_.respond(leaf_, fine_), kNow);
  ASSERT_TRUE(std::holds_alternative<Response>(out)) << std::get<Problem>(out).message;
  const auto& response = std::get<Response>(out);
  EXPECT_FALSE(response.revoked);
  EXPECT_EQ(response.this_update, kNow - kDay);
  EXPECT_EQ(response.next_update, kNow + kDay);
}

TEST_F(OcspResponse, that_says_revoked_is_an_answer) {
  ResponseSpec spec = fine_;
  spec.status = V_OCSP_CERTSTATUS_REVOKED;
  const auto out = verify(*certificate_, ca_.respond(leaf_, spec), kNow);
  ASSERT_TRUE(std::holds_alternative<Response>(out));
  EXPECT_TRUE(std::get<Response>(out).revoked);
  EXPECT_EQ(std::get<Response>(out).revoked_at, kNow - kDay);
  spec.status = V_OCSP_CERTSTATUS_UNKNOWN;
  EXPECT_EQ(judged(spec), "unknown_certificate");
}

TEST_F(OcspResponse, of_a_responder_is_believed_only_with_the_issuers_authorisation) {
  const Authority stranger("Test CA");  // of the same name
  const Issued responder = ca_.issue({.name = "ocsp", .serial = 8, .ocsp_signing = true}),
               ordinary = ca_.issue({.name = "web", .serial = 9}),
               foreign = stranger.issue({.name = "ocsp", .serial = 8, .ocsp_signing = true});
  const auto by = [&](const Issued& signer) {
    ResponseSpec spec = fine_;
    spec.signer = &signer;
    return judged(spec);
  };
  EXPECT_EQ(by(responder), "good");
  EXPECT_EQ(by(ordinary), "signature") << "a certificate of the same CA, which is no responder";
  EXPECT_EQ(by(leaf_), "signature") << "nor does a certificate vouch for itself";
  EXPECT_EQ(by(foreign), "signature");
  EXPECT_EQ(judged(stranger.respond(leaf_, fine_)), "signature");
}

TEST_F(OcspResponse, with_any_bit_changed_never_says_anything_else) {
  const std::string good = ca_.respond(leaf_, fine_);
  ASSERT_EQ(judged(good), "good");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const auto out = verify(*certificate_, bad, kNow);
    // The certificate of the signer, which comes along unsigned, is not needed where the issuer itself signs.
    if (const auto* r = std::get_if<Response>(&out)) {
      EXPECT_EQ(r->this_update, fine_.this_update) << i;
      EXPECT_EQ(r->next_update, fine_.next_update) << i;
      EXPECT_FALSE(r->revoked) << i;
    }
  }
}

TEST_F(OcspResponse, about_another_certificate_is_none_of_ours) {
  EXPECT_EQ(judged(ca_.respond(ca_.issue({.serial = 8}), fine_)), "wrong_certificate");
}

TEST_F(OcspResponse, is_good_from_this_update_to_next_update) {
  EXPECT_EQ(judged(fine_, kNow + kDay - 1), "good");
  EXPECT_EQ(judged(fine_, kNow + kDay), "expired");
  EXPECT_EQ(judged(fine_, kNow - kDay), "good");
  EXPECT_EQ(judged(fine_, kNow - kDay - 300), "good") << "clocks differ a little";
  EXPECT_EQ(judged(fine_, kNow - kDay - 301), "not_yet_valid");
  EXPECT_EQ(judged(ResponseSpec{.this_update = kNow - kDay}), "no_next_update");
  EXPECT_EQ(judged(ResponseSpec{.this_update = kNow + 100, .next_update = kNow + 50}), "malformed");
}

TEST_F(OcspResponse, that_is_something_else_is_malformed) {
  const std::string good = ca_.respond(leaf_, fine_);
  for (const std::string& bad : {std::string(), std::string("<html>"), good.substr(0, good.size() - 1), good + "x"})
    EXPECT_EQ(judged(bad), "malformed") << bad.size();
  const std::string try_later("\x30\x03\x0a\x01\x03", 5);
  EXPECT_EQ(judged(try_later), "responder_error");
}

TEST_F(OcspResponse, cannot_be_believed_without_the_issuer) {
  const auto alone = test::parsed(leaf_, nullptr);
  EXPECT_FALSE(facts_of(*alone).has_issuer);
  EXPECT_EQ(make_request(*alone), "");
  EXPECT_TRUE(std::holds_alternative<Problem>(verify(*alone, ca_.respond(leaf_, fine_), kNow)));
  const Authority namesake("Test CA");
  EXPECT_FALSE(facts_of(*test::parsed(leaf_, &namesake)).has_issuer) << "of the same name, with another key";
}

TEST_F(OcspResponse, is_asked_for_by_the_certificates_id) {
  const std::string der = make_request(*certificate_);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<OCSP_REQUEST, l7::tls::Freer<OCSP_REQUEST_free>> request(
      d2i_OCSP_REQUEST(nullptr, &at, static_cast<long>(der.size())));
  ASSERT_NE(request, nullptr);
  ASSERT_EQ(OCSP_request_onereq_count(request.get()), 1);
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, OCSP_onereq_get0_id(OCSP_request_onereq_get0(request.get(), 0)));
  EXPECT_EQ(ASN1_INTEGER_get(serial), 7);
  EXPECT_EQ(OCSP_request_is_signed(request.get()), 0);
}

TEST_F(OcspResponse, is_to_be_had_where_the_certificate_says_over_http) {
  const auto facts = [&](const std::string& aia, bool must_staple = false) {
    return facts_of(*test::parsed(ca_.issue({.aia = aia, .must_staple = must_staple}), &ca_));
  };
  EXPECT_EQ(facts("").url, "");
  EXPECT_EQ(facts("OCSP;URI:http://ocsp.test/x").url, "http://ocsp.test/x");
  EXPECT_EQ(facts("caIssuers;URI:http://ca.test/,OCSP;URI:ldap://a.test/,OCSP;URI:HTTPS://b.test/").url, "HTTPS://b.test/");
  EXPECT_EQ(facts("OCSP;URI:file:///etc/passwd").url, "");
  EXPECT_FALSE(facts("").must_staple);
  EXPECT_TRUE(facts("", true).must_staple);
  EXPECT_TRUE(facts("").has_issuer);
}

TEST(OcspSchedule, asks_again_at_half_of_the_life_or_of_what_is_left) {
  EXPECT_EQ(refresh_at(0, 1000, 0, 0), 500);
  EXPECT_EQ(refresh_at(0, 1000, 0, 1), 450) << "spread over a tenth";
  EXPECT_EQ(refresh_at(0, 1000, 400, 0), 500);
  EXPECT_EQ(refresh_at(0, 1000, 600, 0), 800) << "a cache's, most of whose life is over";
  EXPECT_EQ(refresh_at(0, 1000, 995, 0), 1005) << "never faster than after a failure";
}

TEST(OcspSchedule, backs_off_up_to_an_hour) {
  EXPECT_EQ(retry_after(1, 0), 10);
  EXPECT_EQ(retry_after(2, 0), 20);
  EXPECT_EQ(retry_after(5, 1), 80) << "spread over a half";
  EXPECT_EQ(retry_after(1000, 0), 3600);
}

}  // namespace
}  // namespace sluice::mgmt::ocsp
