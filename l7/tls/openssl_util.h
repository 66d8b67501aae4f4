// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// Owners for OpenSSL's handles, and its error queue as text. Included by sources of l7/tls and mgmt/ocsp only.
namespace sluice::l7::tls {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};

using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using SslPtr = std::unique_ptr<SSL, Freer<SSL_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;

struct X509StackFree {
  void operator()(STACK_OF(X509) * s) const { sk_X509_pop_free(s, X509_free); }
};
using X509StackPtr = std::unique_ptr<STACK_OF(X509), X509StackFree>;

/// Before the end of an SSL that is not shut down: or SSL_free takes its session for a broken one, and forbids to resume it.
inline void retire(SSL* ssl) {
  if (ssl != nullptr) SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

/// The reason of the oldest entry of this thread's error queue ("wrong version number"; one of libssl before others),
/// which is emptied. `fallback` when there is none.
std::string take_error_text(const char* fallback);

/// Unix seconds; 0: unreadable.
std::int64_t unix_time(const ASN1_TIME* t);
/// What a memory BIO holds; as long as it does.
std::string_view text_of(BIO* bio);
/// As RFC 2253 has it; `keep_utf8`: bytes beyond ASCII as they are, instead of escaped. Empty: no memory.
std::string name_text(const X509_NAME* name, bool keep_utf8);
/// SHA-256 in hex.
std::string fingerprint(const X509* x);

}  // namespace sluice::l7::tls
