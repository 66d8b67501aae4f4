// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "l7/http/message.h"

namespace sluice::l7::http {
namespace {

TEST(Message, NamesCompareWithoutCaseAndOnlyLettersFold) {
  EXPECT_TRUE(equals_ignore_case("Content-Type", "content-TYPE"));
  EXPECT_TRUE(equals_ignore_case("", ""));
  EXPECT_FALSE(equals_ignore_case("a", "ab"));
  EXPECT_FALSE(equals_ignore_case("@", "`"));
  EXPECT_FALSE(equals_ignore_case("[", "{"));
}

TEST(Message, ListsAreSearchedByWholeElement) {
  EXPECT_TRUE(list_has_token("close", "close"));
  EXPECT_TRUE(list_has_token(" , a ,\tCLOSE ", "close"));
  EXPECT_FALSE(list_has_token("closed, not-close, clo se", "close"));
  EXPECT_FALSE(list_has_token("", "close"));
}

TEST(Message, TheFirstFieldOfANameIsFound) {
  FieldList fields;
  fields.add({"A", "1"});
  fields.add({"b", "2"});
  fields.add({"B", "3"});
  EXPECT_EQ(fields.find("B"), "2");
  EXPECT_EQ(fields.find("C"), std::nullopt);
}

TEST(Message, NamesThatTellOfAClientsCertificateAreKnownInEverySpelling) {
  for (const char* name : {"ssl-client-verify", "SSL-Client-Cert", "ssl_client_verify", "Ssl-Client_subject-dn", "ssl-client-x"}) {
    EXPECT_EQ(field_name(name), FieldName::kSslClient) << name;
  }
  for (const char* name : {"ssl-client-", "ssl-client", "ssl-clients-x", "xsl-client-x", "ssl.client-x", "s"}) {
    EXPECT_EQ(field_name(name), FieldName::kOther) << name;
  }
}

TEST(Message, EachNameThatIsDecidedAboutIsKnownInAnyCase) {
  using enum FieldName;
  const std::pair<std::string_view, FieldName> known[] = {
      {"Connection", kConnection},
      {"Content-Length", kContentLength},
      {"Cookie", kCookie},
      {"Early-Data", kEarlyData},
      {"Expect", kExpect},
      {"Forwarded", kForwarded},
      {"Host", kHost},
      {"HTTP2-Settings", kHttp2Settings},
      {"Keep-Alive", kKeepAlive},
      {"Proxy-Connection", kProxyConnection},
      {"Strict-Transport-Security", kStrictTransportSecurity},
      {"TE", kTe},
      {"Transfer-Encoding", kTransferEncoding},
      {"Upgrade", kUpgrade},
      {"X-Forwarded-For", kXForwardedFor},
      {"X-Forwarded-Host", kXForwardedHost},
      {"X-Forwarded-Port", kXForwardedPort},
      {"X-Forwarded-Proto", kXForwardedProto},
      {"X-Real-IP", kXRealIp},
      {"X-Request-ID", kXRequestId},
  };
  for (const auto& [name, id] : known) {
    std::string text(name);
    EXPECT_EQ(field_name(text), id) << text;
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    EXPECT_EQ(field_name(text), id) << text;
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(field_name(text), id) << text;
    for (std::size_t i = 0; i < text.size(); ++i) {  // one character off is another name
      std::string other = text;
      other[i] = '!';
      EXPECT_EQ(field_name(other), kOther) << other;
    }
    FieldList fields;
    fields.add({"accept", "a"});
    EXPECT_FALSE(fields.has(id));
    EXPECT_EQ(fields.find(id), std::nullopt);
    fields.add({text, "1"});
    fields.add({text, "2"});
    EXPECT_TRUE(fields.has(id));
    EXPECT_EQ(fields.find(id), "1");
    fields.clear();
    EXPECT_FALSE(fields.has(id));
  }
}

TEST(Message, AFullListTakesNoMore) {
  FieldList fields;
  for (std::size_t i = 0; i < FieldList::kMax; ++i) EXPECT_TRUE(fields.add({"a", "b"}));
  EXPECT_FALSE(fields.add({"a", "b"}));
  EXPECT_EQ(fields.size(), FieldList::kMax);
}

TEST(Message, HopByHopFieldsAreTheFixedOnesAndThoseThatConnectionNames) {
  const std::array<std::string_view, 2> connection = {"close, X-Secret", "foo"};
  for (const char* name : {"Connection", "keep-alive", "Proxy-Connection", "TE", "Transfer-Encoding",
                           "UPGRADE", "x-secret", "Foo"}) {
    EXPECT_TRUE(is_hop_by_hop(Field{name, "", field_name(name)}, connection)) << name;
  }
  for (const char* name : {"Host", "Content-Length", "Trailer", "X-Secret2"}) {
    EXPECT_FALSE(is_hop_by_hop(Field{name, "", field_name(name)}, connection)) << name;
  }
  EXPECT_FALSE(is_hop_by_hop(Field{"x-secret", ""}, {}));
}

}  // namespace
}  // namespace sluice::l7::http
