// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/rcu.h"
#include "dataplane/base/result.h"
#include "l7/proxy/proxy_app.h"
#include "l7/snapshot.h"
#include "mgmt/config/model.h"
#include "mgmt/engine/ticket_keyring.h"

namespace sluice::mgmt {

/// What became of a change.
struct ApplyResult {
  enum class Outcome : std::uint8_t {
    kApplied,    ///< Stored as `revision` and published.
    kUnchanged,  ///< Equal to the running state; no new revision.
    kDryRun,     ///< Valid, compiled, not stored.
    kInvalid,    ///< `errors` says what; nothing changed.
    kConflict,   ///< `expected_revision` is not the running one; nothing changed.
    kStoreFailed ///< Disk full, database locked...: `message`; nothing changed.
  } outcome = Outcome::kApplied;
  std::uint64_t revision = 0;
  std::vector<config::FieldError> errors;
  std::string message;
};

struct ApplyOptions {
  bool dry_run = false;
  std::optional<std::uint64_t> expected_revision;
  std::string author;   ///< Token name, for the revision list and the audit log.
  std::string comment;  ///< "PUT /api/v1/config"
};

struct RevisionInfo {
  std::uint64_t revision = 0;
  std::int64_t time = 0;  ///< Unix seconds.
  std::string author, comment;
};

/// One line of the audit log: who wanted what, and what became of it.
struct AuditInfo {
  std::int64_t time = 0;  ///< Unix seconds.
  std::string author, action;
  std::string outcome;         ///< "applied", "invalid", "conflict", "store_failed"
  std::uint64_t revision = 0;  ///< That was running afterwards.
};

/// When a configured certificate (the leaf) ends.
struct CertificateExpiry {
  std::string id;
  std::int64_t not_after = 0;  ///< Unix seconds.
};

/// A configured certificate as it is compiled: the same object as long as chain and key stay the same.
struct RunningCertificate {
  std::string id;
  std::shared_ptr<const l7::tls::Certificate> certificate;
  bool presented = false;      ///< By a listener.
  bool ocsp_stapling = false;  ///< As configured.
};

/// The transaction at the heart of management: validate, compile, store, publish, or nothing. Any thread; changes are
/// serialised. Owns the running snapshot and frees replaced ones after the grace period.
class Engine {
 public:
  struct Options {
    std::string data_folder;   ///< SQLite database and lock live here.
    std::uint32_t workers = 1;
  };
  /// Opens the store (an error names a second instance, a damaged or newer database) and loads the last revision.
  /// Nothing is published before start().
  static Result<std::unique_ptr<Engine>> open(const Options& options, l7::proxy::Shared& shared);
  virtual ~Engine() = default;

  /// Compiles and publishes the last stored revision; from now on changes are published too. `rcu` outlives the
  /// engine or stop() is called first. A stored revision that no longer compiles is an error that names the field.
  virtual Status start(Rcu& rcu) = 0;
  /// Compiles it without publishing, so that what belongs to its parts (set_staples) is there when start() publishes. No
  /// need to call it otherwise.
  virtual Status load() = 0;
  virtual void stop() = 0;

  /// Edits a state and returns errors (paths relative to the document that the caller got) to refuse.
  using Change = std::function<std::vector<config::FieldError>(config::Config&)>;
  /// As one step, serialised against all other changes: `change`, if any, may still look at the running state
  /// and adapt `next` or refuse it.
  virtual ApplyResult apply(config::Config next, const ApplyOptions& options, const Change& change = {}) = 0;
  /// The same with a copy of the running state for `change` to edit.
  virtual ApplyResult edit(const Change& change, const ApplyOptions& options) = 0;

  virtual std::shared_ptr<const config::Config> current() const = 0;
  virtual std::uint64_t revision() const = 0;
  virtual std::vector<RevisionInfo> revisions(std::size_t limit) const = 0;
  virtual Result<config::Config> revision_config(std::uint64_t revision) const = 0;

  /// Newest first.
  virtual std::vector<AuditInfo> audit(std::size_t /*limit*/) const { return {}; }

  /// Runtime slot of a member, and names for logs. Empty when unknown.
  virtual std::optional<BackendSlot> slot_of(const std::string& group, const std::string& member) const = 0;
  /// "group/member" of a slot.
  virtual std::string name_of(BackendSlot slot) const = 0;
  /// Where the connections of a load balancer or a listener are counted. Empty: it is unknown.
  virtual std::optional<l7::MeterSlot> meter_of_load_balancer(const std::string& id) const = 0;
  virtual std::optional<l7::MeterSlot> meter_of_listener(const std::string& id) const = 0;

  virtual TicketKeyring::Info ticket_keys() const = 0;
  /// Not a revision: history would keep what is to be forgotten. `secrets` as for TicketKeyring::set().
  virtual Status set_ticket_keys(const std::vector<TicketSecret>& secrets, const ApplyOptions& options) = 0;
  /// When it is time for it; to be called every now and then. `now`: Unix seconds.
  virtual Status rotate_ticket_keys(std::int64_t now) = 0;

  /// Of all certificates that run, by id. Nothing is parsed for it.
  virtual std::vector<CertificateExpiry> certificate_expiries() const = 0;
  /// The same of certificate authorities' lists of revoked certificates, by the authority's id; those with lists alone.
  virtual std::vector<CertificateExpiry> revocation_expiries() const = 0;
  virtual std::vector<RunningCertificate> certificates() const = 0;
  /// Published at once, and with each later revision. Not part of any: it changes without anybody's doing.
  virtual void set_staples(std::shared_ptr<const l7::tls::Staples> staples) = 0;

  struct ExplainRequest {
    Endpoint vip;          ///< Where the request is sent.
    std::string method = "GET", host, path = "/", query;
    std::vector<std::pair<std::string, std::string>> headers;
    IpAddr source;
  };
  struct Explanation {
    std::string load_balancer, listener, rule;  ///< Empty: none matched.
    std::string decision;                       ///< "forward", "redirect", "fixed_response", "no_listener", "denied", "no_route",
                                                ///< "bad_request"
    std::string reason;                         ///< One sentence: why this rule and not another.
    std::vector<std::string> candidates;        ///< Groups with weights; members with health follow from /health.
  };
  virtual Explanation explain(const ExplainRequest& request) const = 0;
};

}  // namespace sluice::mgmt
