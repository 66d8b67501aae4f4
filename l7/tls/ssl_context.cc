// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/ssl_context.h"

#include "l7/tls/takeover.h"

namespace sluice::l7::tls {
namespace {

/// The list without its first name.
std::string behind_first(const std::string& list) { return list.substr(list.find(':') + 1); }

/// Null, or the member that OpenSSL refuses.
const char* set_policy(SSL_CTX* c, const Policy& p) {
  SSL_CTX_set_security_level(c, p.security_level);
  if (SSL_CTX_set_min_proto_version(c, static_cast<int>(p.min_version)) != 1) return "min_version";
  if (SSL_CTX_set_max_proto_version(c, static_cast<int>(p.max_version)) != 1) return "max_version";
  if (!p.ciphers.empty() && SSL_CTX_set_cipher_list(c, p.ciphers.c_str()) != 1) return "ciphers";
  if (SSL_CTX_set_ciphersuites(c, p.ciphersuites.c_str()) != 1) return "ciphersuites";
  // Groups come newest first, and an older OpenSSL takes no list with one that it does not know.
  std::string groups = p.groups;
  while (SSL_CTX_set1_groups_list(c, groups.c_str()) != 1) {
    if (groups.find(':') == std::string::npos) return "groups";
    groups = behind_first(groups);
  }
  if (!p.signature_algorithms.empty() && SSL_CTX_set1_sigalgs_list(c, p.signature_algorithms.c_str()) != 1)
    return "signature_algorithms";
  ERR_clear_error();
  return nullptr;
}

}  // namespace

SslCtxPtr make_ssl_context(const SSL_METHOD* method, const Policy& policy, const std::string& properties, const char** wrong) {
  SslCtxPtr made(SSL_CTX_new_ex(nullptr, properties.empty() ? nullptr : properties.c_str(), method));
  *wrong = "TLS context";
  if (!made) return made;
  SSL_CTX* c = made.get();
  *wrong = set_policy(c, policy);
  if (*wrong != nullptr) return nullptr;
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // One record a write, and a retry may come from another place: both for OpensslRecords::seal.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_NO_AUTO_CHAIN);
  // Off: bytes behind a record stay outside the SSL, where the one who takes over finds them.
  SSL_CTX_set_read_ahead(c, 0);
  SSL_CTX_set_keylog_callback(c, SecretTap::keylog);
  return made;
}

std::string alpn_wire(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& p : protocols) {
    if (p.empty() || p.size() > 255) return {};
    out += static_cast<char>(p.size());
    out += p;
  }
  return out;
}

}  // namespace sluice::l7::tls
