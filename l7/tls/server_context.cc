// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/server_context.h"

#include <array>
#include <optional>

#include "l7/tls/certificate.h"
#include "l7/tls/certificate_table.h"
#include "l7/tls/client_verifier.h"
#include "l7/tls/crypto_engine.h"
#include "l7/tls/early_data.h"
#include "l7/tls/ssl_context.h"
#include "l7/tls/status_request.h"
#include "l7/tls/ticket_sealer.h"

namespace sluice::l7::tls {
namespace {

int wire(TlsVersion v) { return static_cast<int>(v); }

/// What a session was agreed under, as SHA-256. One that began under other rules is not resumed: a suite that is
/// forbidden by now would come back with it, or a client certificate that was judged by others. Certificates of
/// ours are not part of it: renewing one among ten thousand must not cost the sessions of all.
using Rules = std::array<unsigned char, 32>;
static_assert(std::tuple_size_v<Rules> <= SSL_MAX_SID_CTX_LENGTH);

std::optional<Rules> rules_of(const ServerConfig& config) {
  const Policy& p = config.policy;
  std::string text = "sluice 1";
  for (const std::string& part : {std::to_string(wire(p.min_version)), std::to_string(wire(p.max_version)), p.ciphers,
                                  p.ciphersuites, p.groups, p.signature_algorithms, std::to_string(p.security_level)}) {
    text += '\n' + part;
  }
  if (const ClientAuthentication& c = config.clients; c.mode != ClientAuthentication::Mode::kOff) {
    text += '\n' + std::to_string(static_cast<int>(c.mode)) + '\n' + std::to_string(c.depth) + '\n' + c.authorities->digest();
  }
  Rules out;
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), out.data(), nullptr) != 1) return std::nullopt;
  return out;
}

/// ALPN by our preference. No protocol in common is fatal (RFC 7301, 3.2).
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* client,
                unsigned client_length, void* ours) {
  const auto& mine = *static_cast<const std::string*>(ours);
  if (mine.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  // Its "server" list is the one whose order counts.
  const int r = SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(mine.data()),
                                      static_cast<unsigned>(mine.size()), client, client_length);
  if (r != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// Puts the certificates of the asked name into this SSL, which has none of its own: so one SSL_CTX a worker serves
/// any number of certificates. OpenSSL then takes the one that fits the client's signature algorithms.
int choose_certificate(SSL* ssl, void* table) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const CertificateSet& set = static_cast<const CertificateTable*>(table)->find(name == nullptr ? "" : name);
  bool any = false;
  for (const auto& certificate : set) {
    if (certificate == nullptr) continue;
    const Certificate::Handles& h = certificate->handles();
    any |= SSL_use_cert_and_key(ssl, h.leaf.get(), h.key.get(), h.chain.get(), 1) == 1;
  }
  return any ? 1 : 0;
}

/// Acknowledged always, so that the session, and with it the ticket, carries the name; who gets the default certificate
/// sees it.
int accept_server_name(SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; }

}  // namespace

struct ServerContext::Impl {
  CertificateTable table;
  std::string alpn;
  std::vector<SslCtxPtr> contexts;  ///< By worker.
  std::vector<SslCtxPtr> software;  ///< The same; none without software_properties().
  bool keeps_client_certificates = false;
  bool early_data = false;

  Result<SslCtxPtr> make_context(const ServerConfig& config, const std::string& properties);
};

Result<SslCtxPtr> ServerContext::Impl::make_context(const ServerConfig& config, const std::string& properties) {
  const auto failed = [](const char* what) { return Error{std::string(what) + ": " + take_error_text("refused")}; };
  const char* wrong = nullptr;
  SslCtxPtr made = make_ssl_context(TLS_server_method(), config.policy, properties, &wrong);
  if (!made) return failed(wrong);
  SSL_CTX* c = made.get();
  SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);

  // Sessions live in tickets only. Resumed by PSK with (EC)DHE alone: SSL_OP_ALLOW_NO_DHE_KEX stays off.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(c, kTicketLifetime);
  const auto rules = rules_of(config);
  if (!rules || SSL_CTX_set_session_id_context(c, rules->data(), rules->size()) != 1 ||
      SSL_CTX_set_tlsext_ticket_key_evp_cb(c, seal_or_open_ticket) != 1) {
    return failed("session tickets");
  }
  if (!ask_for_certificates(c, config.clients)) return failed("client_authentication");
  SSL_CTX_set_cert_cb(c, choose_certificate, &table);
  SSL_CTX_set_tlsext_servername_callback(c, accept_server_name);
  SSL_CTX_set_tlsext_status_cb(c, answer_status_request);
  SSL_CTX_set_alpn_select_cb(c, select_alpn, &alpn);
  if (early_data) offer_early_data(c);
  return made;
}

Result<std::shared_ptr<const ServerContext>> ServerContext::create(const ServerConfig& config, std::uint32_t workers) {
  ERR_clear_error();
  if (workers == 0 || workers > kMaxWorkers) return Error{"TLS context: no such number of workers"};
  if (config.policy.min_version > config.policy.max_version) return Error{"min_version: above max_version"};
  auto impl = std::make_unique<Impl>();

  impl->alpn = alpn_wire(config.alpn);
  if (impl->alpn.empty() != config.alpn.empty()) return Error{"alpn: a protocol name has 1 to 255 bytes"};
  impl->keeps_client_certificates = config.clients.keep_certificate;
  impl->early_data = config.early_data && config.clients.mode == ClientAuthentication::Mode::kOff;

  const auto& fallback = config.default_certificate ? config.default_certificate : fake_certificate();
  if (fallback == nullptr) return Error{"TLS context: the fake certificate could not be made"};
  bool listed = false;
  for (const OfferedCertificate& offer : config.certificates) {
    if (offer.certificate == nullptr) continue;
    listed |= offer.certificate == config.default_certificate;
    impl->table.add(offer.certificate, offer.names ? *offer.names : offer.certificate->names());
  }
  // Behind the others, whose names are theirs; yet a name that only the default has may still have another kind of key
  // beside it. One that stands in the list has its names from there.
  if (config.default_certificate && !listed) impl->table.add(fallback, fallback->names());
  impl->table.set_default(fallback);

  for (std::uint32_t w = 0; w < workers; ++w) {
    auto context = impl->make_context(config, server_properties());
    if (!context) return context.error();
    impl->contexts.push_back(std::move(*context));
    if (!software_properties()) continue;
    context = impl->make_context(config, *software_properties());
    if (!context) return context.error();
    impl->software.push_back(std::move(*context));
  }
  return std::shared_ptr<const ServerContext>(new ServerContext(std::move(impl)));
}

ServerContext::ServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServerContext::~ServerContext() = default;

void* ServerContext::context(WorkerId worker, bool software) const {
  const auto& from = software && !impl_->software.empty() ? impl_->software : impl_->contexts;
  return worker.value < from.size() ? from[worker.value].get() : nullptr;
}

bool ServerContext::keeps_client_certificates() const { return impl_->keeps_client_certificates; }
bool ServerContext::early_data() const { return impl_->early_data; }

}  // namespace sluice::l7::tls
