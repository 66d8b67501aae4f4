// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/api_certificate.h"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "dataplane/base/ip.h"
#include "mgmt/rest/auth.h"
#include "mgmt/store/file.h"

namespace sluice::mgmt::rest {
namespace {

constexpr long kValidSeconds = 10L * 365 * 86400;
constexpr long kRenewBefore = 30L * 86400;

template <auto F>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    F(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, FreeBy<X509_free>>;
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeBy<X509_EXTENSION_free>>;

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long n = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(n)};
}

std::string alternative_names(const std::string& address) {
  std::string out = "DNS:localhost,IP:127.0.0.1,IP:::1";
  const auto a = IpAddr::parse(address);
  if (a && !a->is_loopback() && !a->is_unspecified()) out += ",IP:" + address;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0') {
    const std::string name = host.data();
    const bool plain =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
        std::string::npos;
    if (plain && name != "localhost") out += ",DNS:" + name;
  }
  return out;
}

bool add_extension(X509* cert, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, cert, cert, nullptr, nullptr, 0);
  const Extension e(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return e && X509_add_ext(cert, e.get(), -1) == 1;
}

Cert self_signed(EVP_PKEY* key, const std::string& address) {
  Cert cert(X509_new());
  std::uint64_t serial = 0;
  if (!cert || RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return nullptr;
  X509_NAME* name = X509_get_subject_name(cert.get());
  const auto* cn = reinterpret_cast<const unsigned char*>("Sluice API");
  const bool built = X509_set_version(cert.get(), 2) == 1 &&
                     ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert.get()), serial >> 1 | 1) == 1 &&
                     X509_gmtime_adj(X509_getm_notBefore(cert.get()), -300) != nullptr &&
                     X509_gmtime_adj(X509_getm_notAfter(cert.get()), kValidSeconds) != nullptr &&
                     X509_set_pubkey(cert.get(), key) == 1 &&
                     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, cn, -1, -1, 0) == 1 &&
                     X509_set_issuer_name(cert.get(), name) == 1 &&
                     add_extension(cert.get(), NID_subject_alt_name, alternative_names(address)) &&
                     add_extension(cert.get(), NID_basic_constraints, "critical,CA:TRUE") &&
                     add_extension(cert.get(), NID_ext_key_usage, "serverAuth") &&
                     X509_sign(cert.get(), key, EVP_sha256()) > 0;
  return built ? std::move(cert) : nullptr;
}

bool still_good(const std::string& certificate_path, const std::string& key_path,
                const std::string& address) {
  const Bio in(BIO_new_file(certificate_path.c_str(), "r"));
  if (!in || ::access(key_path.c_str(), R_OK) != 0) return false;
  const Cert cert(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (!cert) return false;
  time_t soon = time(nullptr) + kRenewBefore;
  if (X509_cmp_time(X509_get0_notAfter(cert.get()), &soon) <= 0) return false;
  const auto a = IpAddr::parse(address);
  return !a || a->is_unspecified() || X509_check_ip_asc(cert.get(), address.c_str(), 0) == 1;
}

}  // namespace

Status ensure_api_certificate(const std::string& certificate_path, const std::string& key_path,
                              const std::string& address) {
  if (still_good(certificate_path, key_path, address)) return Ok{};
  const Key key(EVP_EC_gen("P-256"));
  const Cert cert = key ? self_signed(key.get(), address) : nullptr;
  const Bio cert_pem(BIO_new(BIO_s_mem())), key_pem(BIO_new(BIO_s_mem()));
  if (!cert || PEM_write_bio_X509(cert_pem.get(), cert.get()) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Error{"the API's certificate could not be made"};
  }
  if (const Status s = store::write_file(key_path, contents(key_pem.get()), 0600); !s) return s;
  return store::write_file(certificate_path, contents(cert_pem.get()), 0644);
}

}  // namespace sluice::mgmt::rest
