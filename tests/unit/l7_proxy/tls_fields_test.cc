// SPDX-License-Identifier: Apache-2.0
// Fields that only TLS gives a meaning: what backends learn of a client's certificate, and HSTS for browsers.
#include <gmock/gmock.h>

#include "l7/proxy/headers.h"
#include "tests/support/eal.h"
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kForged =
    "GET / HTTP/1.1\r\nHost: h\r\nssl-client-verify: SUCCESS\r\nSSL-Client-Subject-DN: CN=admin\r\nssl_client_verify: SUCCESS\r\n"
    "Ssl-Client_Cert: x\r\nssl-client-s-dn: CN=admin\r\nX-Mine: 1\r\n\r\n";

/// What the backend gets of a request with these fields.
std::string forwarded(const ClientVerdict& client, bool trust = false,
                      const std::vector<std::pair<std::string, std::string>>& fields = {}) {
  http::RequestHead request;
  request.method_text = "GET";
  request.target = request.path = "/";
  request.authority = request.host = "h";
  for (const auto& [name, value] : fields) request.fields.add({name, value});
  ForwardContext context;
  context.client_address = "192.0.2.1";
  context.scheme = "https";
  context.request_id = "t";
  context.trust_forwarded = trust;
  context.client = client;
  std::string scratch;
  BufChain out;
  EXPECT_TRUE(write_upstream_request(request, context, scratch, out, sluice::test::buffers()));
  return out.to_string();
}

const tls::ClientCertificate kAlice{"CN=alice", "CN=CA", "abcd", ""};

TEST(ClientFields, TellOfAVerifiedCertificate) {
  const std::string got = forwarded({true, &kAlice});
  EXPECT_THAT(got, HasSubstr("\r\nssl-client-verify: SUCCESS\r\nssl-client-subject-dn: CN=alice\r\nssl-client-issuer-dn: CN=CA\r\n"
                             "ssl-client-fingerprint: abcd\r\n"));
  EXPECT_THAT(got, Not(HasSubstr("ssl-client-cert")));
  tls::ClientCertificate whole = kAlice;
  whole.escaped_pem = "-----BEGIN%20";
  EXPECT_THAT(forwarded({true, &whole}), HasSubstr("\r\nssl-client-cert: -----BEGIN%20\r\n"));
}

TEST(ClientFields, TellThatThereWasNone) {
  const std::string got = forwarded({true, nullptr});
  EXPECT_THAT(got, HasSubstr("\r\nssl-client-verify: NONE\r\n"));
  EXPECT_THAT(got, Not(HasSubstr("ssl-client-subject-dn")));
  EXPECT_THAT(forwarded({}), Not(HasSubstr("ssl-client")));
}

TEST(ClientFields, OfTheClientArePassedOnlyForATrustedProxyThatSpokeTlsInsteadOfUs) {
  const std::vector<std::pair<std::string, std::string>> said = {{"ssl-client-verify", "said"}, {"Ssl_Client_Cert", "said"}};
  EXPECT_THAT(forwarded({}, false, said), Not(HasSubstr("said")));
  EXPECT_THAT(forwarded({true, nullptr}, false, said), Not(HasSubstr("said")));
  EXPECT_THAT(forwarded({true, &kAlice}, true, said), Not(HasSubstr("said")));
  EXPECT_THAT(forwarded({}, true, said), HasSubstr("ssl-client-verify: said\r\nSsl_Client_Cert: said\r\n"));
}

class TlsFields : public Bench {};

TEST_F(TlsFields, ForgedOnesReachNoBackendInWhateverSpelling) {
  ask(kForged);
  const std::string got = last_upstream().peek();
  EXPECT_THAT(got, HasSubstr("X-Mine: 1\r\n"));
  for (const char* forged : {"SUCCESS", "CN=admin", "Cert", "client_", "ssl-client", "SSL"}) EXPECT_THAT(got, Not(HasSubstr(forged)));
}

TEST_F(TlsFields, StrictTransportSecurityComesOnceInAnswersOfBackendsAndOurOwn) {
  listener->strict_transport_security = "max-age=31536000; includeSubDomains";
  publish();
  FakeStream& client = connect_client();
  client.deliver("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  last_upstream().deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  poll();
  EXPECT_EQ(field_of(client.read(), "Strict-Transport-Security"), "max-age=31536000; includeSubDomains");

  client.deliver("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  last_upstream().deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nstrict-transport-security: max-age=5\r\n\r\n");
  poll();
  const std::string got = client.read();
  EXPECT_EQ(field_of(got, "Strict-Transport-Security"), "max-age=5") << "the backend's own";
  EXPECT_THAT(got, Not(HasSubstr("31536000")));

  EXPECT_EQ(field_of(ask("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"), "Strict-Transport-Security"), "max-age=31536000; includeSubDomains");
  EXPECT_EQ(field_of(ask("nonsense\r\n\r\n"), "Strict-Transport-Security"), "max-age=31536000; includeSubDomains");
  listener->strict_transport_security.clear();
  publish();
  EXPECT_EQ(field_of(ask("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"), "Strict-Transport-Security"), "-");
}

}  // namespace
}  // namespace sluice::l7::proxy::test
