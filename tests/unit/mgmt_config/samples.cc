// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mgmt_config/samples.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace sluice::mgmt::test {
namespace {

struct Free {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
  void operator()(X509* x) const { X509_free(x); }
  void operator()(BIO* b) const { BIO_free(b); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Pem sign(EVP_PKEY* key, const std::string& host) {
  static long serial = 1;
  const std::unique_ptr<X509, Free> x(X509_new());
  X509_set_version(x.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x.get()), 86400);
  X509_NAME* name = X509_get_subject_name(x.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(host.c_str()),
                             -1, -1, 0);
  X509_set_issuer_name(x.get(), name);
  X509_set_pubkey(x.get(), key);
  X509_EXTENSION* san = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + host).c_str());
  X509_add_ext(x.get(), san, -1);
  X509_EXTENSION_free(san);
  X509_sign(x.get(), key, EVP_sha256());

  const std::unique_ptr<BIO, Free> certificate(BIO_new(BIO_s_mem())), secret(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate.get(), x.get());
  PEM_write_bio_PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate.get()), text_of(secret.get())};
}

}  // namespace

Pem make_pem(const std::string& host) {
  const Key key(EVP_EC_gen("P-256"));
  return sign(key.get(), host);
}

Pem renew(const Pem& old, const std::string& host) {
  const std::unique_ptr<BIO, Free> in(
      BIO_new_mem_buf(old.private_key.data(), static_cast<int>(old.private_key.size())));
  const Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  return sign(key.get(), host);
}

config::Config sample() {
  static const Pem pem = make_pem("shop.example");
  config::Config c;
  c.address_pools["public"] = {"public", "internet", {"198.51.100.8-198.51.100.9", "2001:db8::10"}};
  c.load_balancers["edge"] = {"edge", "Edge", "internet", {"192.0.2.1"}};
  config::Listener web;
  web.id = "web";
  web.load_balancer = "edge";
  web.default_action = config::FixedResponseAction{404, "text/plain", "nothing here\n"};
  c.listeners["web"] = web;
  config::Listener secure = web;
  secure.id = "secure";
  secure.port = 443;
  secure.protocol = "https";
  secure.certificates = {"shop"};
  c.listeners["secure"] = secure;
  config::ServerGroup api;
  api.id = "api";
  api.members = {{"a1", "10.0.0.1", 8080, 100, false}, {"a2", "10.0.0.2", 8080, 50, false}};
  c.server_groups["api"] = api;
  config::ServerGroup shop;
  shop.id = "shop";
  shop.scheduler = "least_connections";
  shop.members = {{"s1", "2001:db8:1::1", 80, 100, false}};
  shop.health_check.type = "http";
  c.server_groups["shop"] = shop;
  config::Rule r1;
  r1.id = "r-api";
  r1.listener = "web";
  r1.hosts = {{"shop.example", "one"}, {"*.shop.example", "one"}};
  r1.paths = {{"prefix", "/api", false}, {"regex", "/v[0-9]+/.*", true}};
  r1.conditions = {{"header", "X-Beta", {"yes", "1"}}, {"source", "", {"10.0.0.0/8"}}};
  r1.action = config::ForwardAction{{{"api", 90}, {"shop", 10}}};
  c.rules["r-api"] = r1;
  config::Rule r2;
  r2.id = "r-redirect";
  r2.listener = "web";
  r2.priority = 2000;
  r2.paths = {{"prefix", "/old", false}};
  r2.action = config::RedirectAction{308, "https", "${host}", "/new", "", 443};
  c.rules["r-redirect"] = r2;
  config::Rule r3 = r2;
  r3.id = "r-secure";
  r3.listener = "secure";
  r3.paths = {{"exact", "/", false}};
  r3.action = config::ForwardAction{{{"shop", 100}}};
  c.rules["r-secure"] = r3;
  c.certificates["shop"] = {"shop", pem.certificate, pem.private_key};
  return c;
}

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sluice-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data()) != nullptr ? pattern : std::string();
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace sluice::mgmt::test
