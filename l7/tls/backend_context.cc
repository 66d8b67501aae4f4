// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/backend_context.h"

#include <atomic>
#include <vector>

#include "l7/tls/certificate.h"
#include "l7/tls/certificate_handles.h"
#include "l7/tls/ssl_context.h"
#include "l7/tls/takeover.h"
#include "l7/tls/trust_store_handles.h"

namespace sluice::l7::tls {
namespace {

/// What we speak to backends; they get to know it, and one that wants nothing else refuses.
const std::vector<std::string> kAlpn = {"http/1.1"};

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

bool show(SSL_CTX* c, const Certificate& certificate) {
  const Certificate::Handles& h = certificate.handles();
  return SSL_CTX_use_cert_and_key(c, h.leaf.get(), h.key.get(), h.chain.get(), 1) == 1;
}

bool believe(SSL_CTX* c, const TrustStore& authorities, int depth) {
  StorePtr store = make_store(authorities);
  if (!store || SSL_CTX_set0_verify_cert_store(c, store.get()) != 1) return false;
  store.release();
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_verify_depth(c, depth);
  return true;
}

Result<SslCtxPtr> make_context(const BackendConfig& config, const TrustStore* authorities) {
  const auto failed = [](const char* what) { return Error{std::string(what) + ": " + take_error_text("refused")}; };
  const char* wrong = nullptr;
  SslCtxPtr made = make_ssl_context(TLS_client_method(), config.policy, "", &wrong);
  if (!made) return failed(wrong);
  SSL_CTX* c = made.get();
  // Sessions go to a cache of the worker's; the context's own has a lock and does not tell servers apart.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(c, SecretTap::keep_session);
  const std::string alpn = alpn_wire(kAlpn);
  if (SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(alpn.data()), static_cast<unsigned>(alpn.size())) != 0)
    return failed("alpn");
  if (config.certificate && !show(c, *config.certificate)) return failed("certificate");
  if (authorities != nullptr && !believe(c, *authorities, config.depth)) return failed("authorities");
  return made;
}

}  // namespace

struct BackendContext::Impl {
  std::vector<SslCtxPtr> contexts;  ///< By worker.
  const std::uint64_t serial = next_serial();
  bool verifies = true;
};

Result<std::shared_ptr<const BackendContext>> BackendContext::create(const BackendConfig& config, std::uint32_t workers) {
  ERR_clear_error();
  if (workers == 0 || workers > kMaxWorkers) return Error{"TLS context: no such number of workers"};
  if (config.policy.min_version > config.policy.max_version) return Error{"min_version: above max_version"};
  std::shared_ptr<const TrustStore> authorities = config.authorities;
  if (config.verify && authorities == nullptr) {
    auto system = system_trust_store();
    if (!system) return Error{"authorities: " + system.error().message};
    authorities = std::move(*system);
  }
  auto impl = std::make_unique<Impl>();
  impl->verifies = config.verify;
  for (std::uint32_t w = 0; w < workers; ++w) {
    auto context = make_context(config, config.verify ? authorities.get() : nullptr);
    if (!context) return context.error();
    impl->contexts.push_back(std::move(*context));
  }
  return std::shared_ptr<const BackendContext>(new BackendContext(std::move(impl)));
}

BackendContext::BackendContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BackendContext::~BackendContext() = default;

void* BackendContext::context(WorkerId worker) const {
  return worker.value < impl_->contexts.size() ? impl_->contexts[worker.value].get() : nullptr;
}

bool BackendContext::verifies() const { return impl_->verifies; }
std::uint64_t BackendContext::serial() const { return impl_->serial; }

}  // namespace sluice::l7::tls
