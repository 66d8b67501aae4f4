// SPDX-License-Identifier: Apache-2.0
// How the two ends of a connection begin, until they have their record layer.
#include "l7/tls/client_verifier.h"
#include "l7/tls/session.h"

namespace sluice::l7::tls {

Session::Session(SessionHost& host, WorkerId worker, l4::Stream& below, std::shared_ptr<const BackendTls> backend,
                 l4::StreamEvents* user)
    : host_(host),
      below_(&below),
      user_(user),
      backend_(std::move(backend)),
      counts_(host.backend_stats),
      flow_(below.flow()),
      queues_{host.buffers, {}, {}},
      worker_(worker),
      state_(State::kConnecting) {}

std::unique_ptr<Handshake> Session::begin_handshake() {
  if (!at_client()) {
    auto job = host_.async_job(*this);
    auto* context = static_cast<SSL_CTX*>(context_->context(worker_, job == nullptr));
    return std::make_unique<Handshake>(context, queues_, host_.tickets, host_.staples, std::move(job),
                                       context_->early_data() ? &host_.early : nullptr);
  }
  auto* context = static_cast<SSL_CTX*>(backend_->context->context(worker_));
  return std::make_unique<Handshake>(context, queues_, *backend_, flow_.remote.address, host_.sessions.find(cache_key()));
}

/// Once, when the user is told that it is open.
void Session::note_agreed() {
  info_ = describe(&handshake_->ssl());
  if (info_.client_asked) {
    client_certificate_ = client_certificate(&handshake_->ssl(), context_->keeps_client_certificates());
    info_.client_certificate = client_certificate_.get();
  }
  names_.reserve(info_.server_name.size() + info_.alpn.size());
  for (std::string_view* name : {&info_.server_name, &info_.alpn}) {
    const std::size_t at = names_.size();
    names_.append(*name);
    *name = std::string_view(names_).substr(at);
  }
  const int early = SSL_get_early_data_status(&handshake_->ssl());
  if (!at_client() && early == SSL_EARLY_DATA_ACCEPTED) host_.stats.early_data_accepted.add();
  if (!at_client() && early == SSL_EARLY_DATA_REJECTED) host_.stats.early_data_rejected.add();
}

void Session::start_records() {
  if (at_client()) keep_session();
  if (at_client() && SSL_version(&handshake_->ssl()) == TLS1_3_VERSION) {
    constexpr auto kReading = OpensslRecords::Reading::kWholeRecords;
    records_ = &kinds_.emplace<OpensslRecords>(queues_, handshake_->share_ssl(), host_.tools, kReading);
  } else {
    choose_records();
  }
}

/// The record layer for the rest of the connection, after a handshake or behind OpenSSL's own.
void Session::choose_records() {
  if (const auto keys = handshake_->keys(host_.tools)) {
    retire(&handshake_->ssl());
    records_ = &kinds_.emplace<OwnRecords>(queues_, host_.tools, *keys);
    counts_.taken_over.add();
  } else {
    SslPtr ssl = handshake_->take_ssl();
    if (auto* theirs = std::get_if<OpensslRecords>(&kinds_))
      theirs->read_freely();
    else
      records_ = &kinds_.emplace<OpensslRecords>(queues_, std::move(ssl), host_.tools);
    counts_.left_with_openssl.add();
  }
  handshake_.reset();
}

void Session::keep_session() {
  if (SessionPtr session = handshake_->tap().take_session()) host_.sessions.put(cache_key(), std::move(session));
}

/// Tickets of TLS 1.3 come when the handshake is over, and only OpenSSL can make a session of one. So it reads on until it
/// has seen one, or data instead.
void Session::settle_records(bool data) {
  keep_session();
  if (!data && !handshake_->tap().ticket_seen()) return;
  if (std::get<OpensslRecords>(kinds_).at_rest()) choose_records();
}

}  // namespace sluice::l7::tls
