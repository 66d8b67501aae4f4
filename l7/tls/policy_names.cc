// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/policy_names.h"

#include <algorithm>

#include "dataplane/base/ascii.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {
namespace {

constexpr int kMinBits = 112;
constexpr std::size_t kMaxName = 64;
constexpr const char* kUnknown = "is nothing that this OpenSSL knows";

/// One plain name: no list, and nothing of OpenSSL's little languages ("!aNULL", "@SECLEVEL=0", "?X25519").
bool is_plain(std::string_view name, PolicyList list) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  const auto inner = [&](char c) {
    return letter(c) || c == '-' || c == '_' || c == '.' || (c == '+' && list == PolicyList::kSignatureAlgorithms);
  };
  return !name.empty() && name.size() <= kMaxName && letter(name.front()) && std::all_of(name.begin(), name.end(), inner);
}

/// The suite of that very name among those that were chosen by it; null: it was the name of something else.
const SSL_CIPHER* find_suite(SSL_CTX* context, const std::string& name) {
  const STACK_OF(SSL_CIPHER)* all = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
    const SSL_CIPHER* c = sk_SSL_CIPHER_value(all, i);
    if (name == SSL_CIPHER_get_name(c)) return c;
  }
  return nullptr;
}

std::string judge_suite(const SSL_CIPHER* suite, bool tls13) {
  if (suite == nullptr || (SSL_CIPHER_get_kx_nid(suite) == NID_kx_any) != tls13) return kUnknown;
  if (SSL_CIPHER_get_bits(suite, nullptr) < kMinBits) return "is too weak: less than 112 bits";
  if (tls13) return {};
  const int exchange = SSL_CIPHER_get_kx_nid(suite), authentication = SSL_CIPHER_get_auth_nid(suite);
  const bool usable = (exchange == NID_kx_ecdhe || exchange == NID_kx_rsa) &&
                      (authentication == NID_auth_rsa || authentication == NID_auth_ecdsa);
  return usable ? "" : "must be a suite with ECDHE or RSA key exchange and a certificate";
}

std::string judge(SSL_CTX* context, PolicyList list, const std::string& name) {
  switch (list) {
    case PolicyList::kCiphers:
      return judge_suite(SSL_CTX_set_cipher_list(context, name.c_str()) == 1 ? find_suite(context, name) : nullptr, false);
    case PolicyList::kCiphersuites:
      return judge_suite(SSL_CTX_set_ciphersuites(context, name.c_str()) == 1 ? find_suite(context, name) : nullptr, true);
    case PolicyList::kGroups:
      return SSL_CTX_set1_groups_list(context, name.c_str()) == 1 ? "" : kUnknown;
    case PolicyList::kSignatureAlgorithms: {
      if (SSL_CTX_set1_sigalgs_list(context, name.c_str()) != 1) return kUnknown;
      return ascii_lower(name).ends_with("sha1") ? "is too weak: SHA-1" : "";
    }
  }
  return kUnknown;
}

}  // namespace

std::string unusable_together(PolicyList list, const std::string& names) {
  const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* c = context.get();
  const bool fine = c != nullptr && (list == PolicyList::kGroups                ? SSL_CTX_set1_groups_list(c, names.c_str()) == 1
                                     : list == PolicyList::kSignatureAlgorithms ? SSL_CTX_set1_sigalgs_list(c, names.c_str()) == 1
                                                                                : true);
  ERR_clear_error();
  return fine ? "" : "names one thing twice";
}

std::string unusable(PolicyList list, std::string_view name) {
  if (!is_plain(name, list)) return kUnknown;
  const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  std::string why = context ? judge(context.get(), list, std::string(name)) : "cannot be judged: out of memory";
  ERR_clear_error();
  return why;
}

}  // namespace sluice::l7::tls
