// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/trust_store.h"

#include <openssl/pem.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>

#include "l7/tls/trust_store_handles.h"

namespace sluice::l7::tls {
namespace {

/// All PEM blocks that `read` takes from the text, or why not.
template <class Ptr, class Read>
Result<std::vector<Ptr>> read_all(std::string_view pem, const char* what, Read read) {
  std::vector<Ptr> out;
  BioPtr in(pem.size() > INT_MAX ? nullptr : BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!in) return Error{std::string(what) + ": too long"};
  while (Ptr one{read(in.get(), nullptr, nullptr, nullptr)}) {
    out.push_back(std::move(one));
    if (out.size() > TrustStore::kMaxCertificates) {
      return Error{std::string(what) + ": more than " + std::to_string(TrustStore::kMaxCertificates)};
    }
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_error_text("unreadable");
  if (!at_end) return Error{std::string(what) + ": number " + std::to_string(out.size() + 1) + " is wrong: " + reason};
  return out;
}

/// Empty, or why the list is not to be believed.
std::string wrong_signature(X509_CRL* crl, const std::vector<X509Ptr>& authorities) {
  bool issuer_known = false;
  for (const X509Ptr& a : authorities) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(a.get())) != 0) continue;
    issuer_known = true;
    if (X509_CRL_verify(crl, X509_get0_pubkey(a.get())) == 1) return {};
  }
  ERR_clear_error();
  return issuer_known ? "its signature is not that of its authority" : "its authority is not among the certificates";
}

struct NameLess {
  bool operator()(const X509_NAME* a, const X509_NAME* b) const { return X509_NAME_cmp(a, b) < 0; }
};

std::int64_t first_end(const std::vector<CrlPtr>& lists) {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::map<const X509_NAME*, std::int64_t, NameLess> ends;  // of the newest, by authority
  for (const CrlPtr& x : lists) {
    const ASN1_TIME* next = X509_CRL_get0_nextUpdate(x.get());
    std::int64_t& end = ends[X509_CRL_get_issuer(x.get())];
    end = std::max(end, next == nullptr ? kNever : unix_time(next));
  }
  std::int64_t first = kNever;
  for (const auto& [issuer, end] : ends) first = std::min(first, end);
  return first == kNever ? 0 : first;
}

template <class T, class Encode>
bool add_to_digest(EVP_MD_CTX* digest, T* object, Encode encode) {
  unsigned char* der = nullptr;
  const int size = encode(object, &der);
  const bool added = size > 0 && EVP_DigestUpdate(digest, der, static_cast<std::size_t>(size)) == 1;
  OPENSSL_free(der);
  return added;
}

std::string digest_of(const TrustStore::Handles& h) {
  const std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  bool fine = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const X509Ptr& x : h.certificates) fine = fine && add_to_digest(context.get(), x.get(), i2d_X509);
  for (const CrlPtr& x : h.revocations) fine = fine && add_to_digest(context.get(), x.get(), i2d_X509_CRL);
  std::string out(32, '\0');
  fine = fine && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1;
  return fine ? out : std::string();
}

constexpr const char* kDebianBundle = "/etc/ssl/certs/ca-certificates.crt";

Result<std::shared_ptr<const TrustStore>> read_system_bundle() {
  const char* named = std::getenv(X509_get_default_cert_file_env());
  for (const char* path : {named, kDebianBundle, X509_get_default_cert_file()}) {
    if (path == nullptr) continue;
    std::ifstream file(path);
    if (!file && path != named) continue;
    const std::string pem{std::istreambuf_iterator<char>(file), {}};
    auto parsed = TrustStore::parse(pem, "");
    if (!parsed) return Error{std::string(path) + ": " + parsed.error().message};
    return parsed;
  }
  return Error{std::string("this system has none: ") + kDebianBundle + " is missing"};
}

}  // namespace

Result<std::shared_ptr<const TrustStore>> system_trust_store() {
  static std::mutex mutex;
  static std::shared_ptr<const TrustStore> kept;
  const std::lock_guard lock(mutex);
  if (kept != nullptr) return kept;
  auto read = read_system_bundle();
  if (read) kept = *read;
  return read;
}

/// An authority is believed by itself, whoever has signed it.
StorePtr make_store(const TrustStore& trust) {
  StorePtr out(X509_STORE_new());
  if (!out) return out;
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  bool fine = true;
  for (const X509Ptr& x : trust.handles().certificates) fine = fine && X509_STORE_add_cert(out.get(), x.get()) == 1;
  for (const CrlPtr& x : trust.handles().revocations) {
    fine = fine && X509_STORE_add_crl(out.get(), x.get()) == 1;
    flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  }
  if (!fine || X509_STORE_set_flags(out.get(), flags) != 1) out.reset();
  return out;
}

TrustStore::TrustStore() : handles_(std::make_unique<Handles>()) {}
TrustStore::~TrustStore() = default;

Result<std::shared_ptr<const TrustStore>> TrustStore::parse(std::string_view certificates_pem, std::string_view revocation_pem) {
  ERR_clear_error();
  auto certificates = read_all<X509Ptr>(certificates_pem, "certificates", PEM_read_bio_X509);
  if (!certificates) return certificates.error();
  if (certificates->empty()) return Error{"certificates: no PEM block of type CERTIFICATE in it"};
  auto revocations = read_all<CrlPtr>(revocation_pem, "revocation_lists", PEM_read_bio_X509_CRL);
  if (!revocations) return revocations.error();
  if (revocations->empty() && !revocation_pem.empty()) return Error{"revocation_lists: no PEM block of type X509 CRL in it"};
  for (std::size_t i = 0; i < revocations->size(); ++i) {
    const std::string why = wrong_signature((*revocations)[i].get(), *certificates);
    if (!why.empty()) return Error{"revocation_lists: number " + std::to_string(i + 1) + " is wrong: " + why};
  }
  std::shared_ptr<TrustStore> out(new TrustStore);
  out->handles_->certificates = std::move(*certificates);
  out->handles_->revocations = std::move(*revocations);
  out->digest_ = digest_of(*out->handles_);
  out->revocations_end_ = first_end(out->handles_->revocations);
  if (out->digest_.empty()) return Error{"certificates: " + take_error_text("out of memory")};
  return std::shared_ptr<const TrustStore>(std::move(out));
}

}  // namespace sluice::l7::tls
