// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/certificate.h"

#include <openssl/pem.h>

#include <algorithm>
#include <climits>

#include "dataplane/base/ascii.h"
#include "l7/tls/certificate_handles.h"

namespace sluice::l7::tls {
namespace {

constexpr int kMinRsaBits = 2048;
/// Security level 2 of OpenSSL, which the contexts run at: a weaker chain would fail in each handshake.
constexpr int kMinSecurityBits = 112;
constexpr std::size_t kMaxChain = 32;

BioPtr reader_of(std::string_view text) {
  return BioPtr(text.size() > INT_MAX ? nullptr : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// All certificates in the text, or why not. The first is the leaf.
Result<std::vector<X509Ptr>> read_chain(std::string_view pem) {
  std::vector<X509Ptr> out;
  BioPtr in = reader_of(pem);
  if (!in) return Error{"certificate: too long"};
  for (;;) {
    X509Ptr x(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (!x) break;
    out.push_back(std::move(x));
    if (out.size() > kMaxChain) {
      return Error{"certificate: more than " + std::to_string(kMaxChain) + " certificates in the chain"};
    }
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_error_text("unreadable");
  if (!at_end) return Error{"certificate " + std::to_string(out.size() + 1) + " of the chain: " + reason};
  if (out.empty()) return Error{"certificate: no PEM block of type CERTIFICATE in it"};
  return out;
}

/// Called only for an encrypted key. There is no passphrase to give.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<PkeyPtr> read_key(std::string_view pem) {
  BioPtr in = reader_of(pem);
  if (!in) return Error{"private key: too long"};
  bool encrypted = false;
  PkeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, refuse_passphrase, &encrypted));
  if (key) {
    ERR_clear_error();
    return key;
  }
  const std::string reason = take_error_text("unreadable");
  if (encrypted) return Error{"private key: it is encrypted; store it without a passphrase"};
  // OpenSSL says "unsupported" to what is not PEM at all.
  if (pem.find("PRIVATE KEY-----") == std::string_view::npos) {
    return Error{"private key: no PEM block with a private key in it"};
  }
  return Error{"private key: " + reason};
}

struct KeyType {
  KeyKind kind;
  std::string name;
};

Result<KeyType> key_type_of(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if (bits < kMinRsaBits) {
        return Error{"private key: RSA with " + std::to_string(bits) + " bits; at least " +
                     std::to_string(kMinRsaBits) + " are needed"};
      }
      return KeyType{KeyKind::kRsa, "RSA-" + std::to_string(bits)};
    case EVP_PKEY_EC: {
      char group[64] = "";
      std::size_t length = 0;
      EVP_PKEY_get_group_name(key, group, sizeof group, &length);
      const std::string_view name(group);
      if (name == "prime256v1" || name == "P-256") return KeyType{KeyKind::kEcdsa, "ECDSA-P-256"};
      if (name == "secp384r1" || name == "P-384") return KeyType{KeyKind::kEcdsa, "ECDSA-P-384"};
      if (name == "secp521r1" || name == "P-521") return KeyType{KeyKind::kEcdsa, "ECDSA-P-521"};
      ERR_clear_error();
      return Error{"private key: elliptic curve " + std::string(name.empty() ? "unknown" : name) +
                   "; P-256, P-384 or P-521 are usable"};
    }
    case EVP_PKEY_ED25519: return KeyType{KeyKind::kEd25519, "Ed25519"};
    default: return Error{"private key: neither RSA, ECDSA nor Ed25519"};
  }
}

/// Why a client would refuse this certificate for weakness; empty: it would not.
std::string weakness(X509* x) {
  EVP_PKEY* key = X509_get0_pubkey(x);
  if (key == nullptr) return take_error_text("public key unreadable");
  if (EVP_PKEY_get_security_bits(key) < kMinSecurityBits) return "its key is too short";
  if ((X509_get_extension_flags(x) & EXFLAG_SS) != 0) return {};  // nobody relies on a self-signature
  int security_bits = 0;
  if (X509_get_signature_info(x, nullptr, nullptr, &security_bits, nullptr) != 1) {
    return take_error_text("its signature algorithm is unknown");
  }
  if (security_bits < kMinSecurityBits) return "it is signed with a weak digest (MD5 or SHA-1)";
  return {};
}

/// Lower case without a final dot; empty when it cannot be a host name or wildcard that a client asks for.
std::string host_name(std::string_view text) {
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  const std::string_view bare = text.starts_with("*.") ? text.substr(2) : text;
  if (bare.empty() || text.size() > 253) return {};
  const std::string out = ascii_lower(std::string(text));
  const bool fits = std::all_of(out.end() - static_cast<std::ptrdiff_t>(bare.size()), out.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
  return fits ? out : std::string();
}

std::string_view ia5_text(const ASN1_STRING* s) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)), static_cast<std::size_t>(ASN1_STRING_length(s))};
}

/// The DNS names of subjectAltName; where there are none, the common name (RFC 9525 has ended that, yet old
/// certificates of private networks live on).
std::vector<std::string> names_of(const X509* x) {
  std::vector<std::string> out;
  const auto add = [&out](std::string name) {
    if (!name.empty() && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
  };
  auto* san = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr));
  bool has_dns = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(san); ++i) {
    const GENERAL_NAME* g = sk_GENERAL_NAME_value(san, i);
    if (g->type != GEN_DNS) continue;
    has_dns = true;
    add(host_name(ia5_text(g->d.dNSName)));
  }
  GENERAL_NAMES_free(san);
  if (!has_dns) {
    const X509_NAME* subject = X509_get_subject_name(x);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) add(host_name(ia5_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))));
  }
  ERR_clear_error();
  return out;
}

/// Whether the key is that of the leaf; if it is another's, say so.
std::string mismatch(const std::vector<X509Ptr>& chain, const EVP_PKEY* key) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const bool same = X509_check_private_key(chain[i].get(), key) == 1;
    ERR_clear_error();
    if (!same) continue;
    if (i == 0) return {};
    return "certificate: the private key belongs to certificate " + std::to_string(i + 1) +
           " of the chain; the server's own must come first";
  }
  return "private key: it does not belong to the certificate";
}

}  // namespace

Certificate::Certificate() : handles_(std::make_unique<Handles>()) {}
Certificate::~Certificate() = default;

Result<std::shared_ptr<const Certificate>> Certificate::parse(std::string_view chain_pem, std::string_view key_pem) {
  ERR_clear_error();
  auto chain = read_chain(chain_pem);
  if (!chain) return chain.error();
  auto key = read_key(key_pem);
  if (!key) return key.error();
  const auto type = key_type_of(key->get());
  if (!type) return type.error();
  if (std::string why = mismatch(*chain, key->get()); !why.empty()) return Error{std::move(why)};
  for (std::size_t i = 0; i < chain->size(); ++i) {
    const std::string why = weakness((*chain)[i].get());
    if (!why.empty()) return Error{"certificate " + std::to_string(i + 1) + " of the chain: " + why};
  }

  std::shared_ptr<Certificate> out(new Certificate);
  Handles& h = *out->handles_;
  h.kind = type->kind;
  h.key = std::move(*key);
  h.leaf = std::move(chain->front());
  h.chain.reset(sk_X509_new_null());
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (sk_X509_push(h.chain.get(), (*chain)[i].get()) == 0) return Error{"certificate: out of memory"};
    (*chain)[i].release();
  }
  const X509* leaf = h.leaf.get();
  out->key_type_ = type->name;
  out->names_ = names_of(leaf);
  out->subject_ = name_text(X509_get_subject_name(leaf), true);
  out->issuer_ = name_text(X509_get_issuer_name(leaf), true);
  out->fingerprint_ = tls::fingerprint(leaf);
  out->not_before_ = unix_time(X509_get0_notBefore(leaf));
  out->not_after_ = unix_time(X509_get0_notAfter(leaf));
  return std::shared_ptr<const Certificate>(std::move(out));
}

}  // namespace sluice::l7::tls
