// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/engine.h"

#include <chrono>
#include <map>
#include <unordered_set>
#include <utility>

#include "mgmt/compile/compile.h"
#include "mgmt/config/validate.h"
#include "mgmt/engine/explain.h"
#include "mgmt/engine/keep_keys.h"
#include "mgmt/store/store.h"

namespace sluice::mgmt {
namespace {

using config::Config;
using config::FieldError;
using Outcome = ApplyResult::Outcome;

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What readers see: one consistent set, replaced as a whole.
struct State {
  std::uint64_t revision = 0;
  std::shared_ptr<const Config> config = std::make_shared<const Config>();
  std::shared_ptr<const compile::Program> program;  ///< Null before the first start() or change.
};

class EngineImpl final : public Engine {
 public:
  EngineImpl(std::unique_ptr<store::Store> store, store::Stored last, std::uint32_t workers,
             TicketKeyring tickets, l7::proxy::Shared& shared)
      : shared_(shared),
        workers_(workers),
        tickets_(std::move(tickets)),
        store_(std::move(store)),
        stored_ages_(std::move(last.rule_ages)) {
    auto state = std::make_shared<State>();
    state->revision = last.revision;
    state->config = std::make_shared<const Config>(std::move(last.config));
    state_ = std::move(state);
    ticket_info_ = tickets_.info();
  }
  ~EngineImpl() override;

  Status load() override;
  Status start(Rcu& rcu) override;
  void stop() override;
  ApplyResult apply(Config next, const ApplyOptions& options, const Change& change) override;
  ApplyResult edit(const Change& change, const ApplyOptions& options) override;

  std::shared_ptr<const Config> current() const override { return state()->config; }
  std::uint64_t revision() const override { return state()->revision; }
  std::vector<RevisionInfo> revisions(std::size_t limit) const override;
  Result<Config> revision_config(std::uint64_t revision) const override;
  std::vector<AuditInfo> audit(std::size_t limit) const override;
  std::optional<BackendSlot> slot_of(const std::string& group, const std::string& member) const override;
  std::string name_of(BackendSlot slot) const override;
  TicketKeyring::Info ticket_keys() const override;
  Status set_ticket_keys(const std::vector<TicketSecret>& secrets, const ApplyOptions& options) override;
  Status rotate_ticket_keys(std::int64_t now) override;
  std::vector<CertificateExpiry> certificate_expiries() const override;
  std::vector<CertificateExpiry> revocation_expiries() const override;
  std::vector<RunningCertificate> certificates() const override;
  void set_staples(std::shared_ptr<const l7::tls::Staples> staples) override;
  std::optional<l7::MeterSlot> meter_of_load_balancer(const std::string& id) const override;
  std::optional<l7::MeterSlot> meter_of_listener(const std::string& id) const override;
  Explanation explain(const ExplainRequest& request) const override;

 private:
  std::shared_ptr<const State> state() const {
    const std::lock_guard lock(state_mutex_);
    return state_;
  }
  void set_state(std::shared_ptr<const State> next) {
    const std::lock_guard lock(state_mutex_);
    state_.swap(next);  // What it was may be freed outside the lock.
  }

  // All below under change_mutex_.
  compile::Output compile_now(std::shared_ptr<const Config> config, const compile::Program* previous,
                              compile::Slots& slots) const;
  ApplyResult apply_locked(Config next, const ApplyOptions& options, const Change& change);
  std::optional<ApplyResult> conflict(const ApplyOptions& options) const;
  ApplyResult change_to(Config next, const ApplyOptions& options);
  ApplyResult finish(ApplyResult result, const ApplyOptions& options);
  void publish(std::shared_ptr<const State> next);
  void publish_snapshot(const State& state);
  void audit_line(const ApplyOptions& options, const char* outcome, std::uint64_t revision);
  Status load_locked();
  void ticket_keys_changed();
  void publish_again();
  void release_idle_slots();

  l7::proxy::Shared& shared_;
  const std::uint32_t workers_;

  std::mutex change_mutex_;  ///< One change at a time, from reading the state to the end of the grace period.
  Rcu* rcu_ = nullptr;       ///< Null: not started; changes are not published.
  compile::Slots slots_;
  std::vector<BackendSlot> waiting_;  ///< Retired, but a request still counts on them.
  std::vector<l7::MeterSlot> waiting_meters_;  ///< Likewise a connection.
  TicketKeyring tickets_;
  std::shared_ptr<const l7::tls::Staples> staples_;

  mutable std::mutex store_mutex_;  ///< SQLite is used by one thread at a time.
  std::unique_ptr<store::Store> store_;
  std::map<std::string, std::uint64_t> stored_ages_;  ///< Until the first program knows them.

  mutable std::mutex state_mutex_;  ///< Held for a copy only.
  std::shared_ptr<const State> state_;
  TicketKeyring::Info ticket_info_;  ///< Of tickets_, for readers.
};

EngineImpl::~EngineImpl() {
  const l7::Snapshot* last = shared_.snapshot.exchange(nullptr);
  if (rcu_ != nullptr && last != nullptr) rcu_->synchronize();
  delete last;
}

compile::Output EngineImpl::compile_now(std::shared_ptr<const Config> config,
                                        const compile::Program* previous, compile::Slots& slots) const {
  return compile::compile(
      {std::move(config), previous, previous == nullptr ? &stored_ages_ : nullptr, workers_}, slots);
}

Status EngineImpl::load() {
  const std::lock_guard lock(change_mutex_);
  return load_locked();
}

Status EngineImpl::load_locked() {
  const auto now = state();
  if (now->program) return Ok{};
  auto next = std::make_shared<State>(*now);
  std::vector<FieldError> errors = config::validate(*now->config);
  if (errors.empty()) {
    auto output = compile_now(now->config, nullptr, slots_);
    errors = std::move(output.errors);
    next->program = std::move(output.program);
  }
  if (!errors.empty()) {
    return Error{"revision " + std::to_string(now->revision) + " cannot be served: " + errors.front().path + " " +
                 errors.front().message};
  }
  publish(std::move(next));
  return Ok{};
}

Status EngineImpl::start(Rcu& rcu) {
  const std::lock_guard lock(change_mutex_);
  if (const Status loaded = load_locked(); !loaded) return loaded;
  rcu_ = &rcu;
  publish(state());
  return Ok{};
}

void EngineImpl::stop() {
  // The snapshot stays for workers that still drain; the destructor takes it away.
  const std::lock_guard lock(change_mutex_);
  rcu_ = nullptr;
}

ApplyResult EngineImpl::apply(Config next, const ApplyOptions& options, const Change& change) {
  const std::lock_guard lock(change_mutex_);
  if (auto refused = conflict(options)) return finish(std::move(*refused), options);
  return apply_locked(std::move(next), options, change);
}

ApplyResult EngineImpl::edit(const Change& change, const ApplyOptions& options) {
  const std::lock_guard lock(change_mutex_);
  // Before the copy: of a large state it is what costs most.
  if (auto refused = conflict(options)) return finish(std::move(*refused), options);
  return apply_locked(*state()->config, options, change);
}

ApplyResult EngineImpl::apply_locked(Config next, const ApplyOptions& options, const Change& change) {
  std::vector<FieldError> errors;
  if (change) errors = change(next);
  if (!errors.empty()) return finish({Outcome::kInvalid, revision(), std::move(errors), {}}, options);
  return finish(change_to(std::move(next), options), options);
}

std::optional<ApplyResult> EngineImpl::conflict(const ApplyOptions& options) const {
  const std::uint64_t running = revision();
  if (!options.expected_revision || *options.expected_revision == running) return std::nullopt;
  return ApplyResult{Outcome::kConflict,
                     running,
                     {},
                     "the running revision is " + std::to_string(running) + ", not " +
                         std::to_string(*options.expected_revision)};
}

ApplyResult EngineImpl::change_to(Config next, const ApplyOptions& options) {
  const auto now = state();
  keep_private_keys(next, *now->config);
  config::fill_defaults(next);
  std::vector<FieldError> errors = config::validate(next);
  if (errors.empty()) errors = config::assign_addresses(next, *now->config);
  if (!errors.empty()) return {Outcome::kInvalid, now->revision, std::move(errors), {}};
  if (next == *now->config) return {Outcome::kUnchanged, now->revision, {}, {}};

  auto after = std::make_shared<State>();
  after->revision = now->revision + 1;
  after->config = std::make_shared<const Config>(std::move(next));
  compile::Slots slots = slots_;
  auto output = compile_now(after->config, now->program.get(), slots);
  if (!output.errors.empty()) return {Outcome::kInvalid, now->revision, std::move(output.errors), {}};
  if (options.dry_run) return {Outcome::kDryRun, now->revision, {}, {}};
  after->program = std::move(output.program);

  const auto age_of = [&](const std::string& rule) { return after->program->rules.at(rule)->age; };
  {
    const std::lock_guard lock(store_mutex_);
    auto failure = store_->append({after->revision, unix_now(), options.author, options.comment},
                                  *now->config, *after->config, age_of);
    if (failure) return {Outcome::kStoreFailed, now->revision, {}, std::move(failure->message)};
  }
  slots_ = std::move(slots);
  const std::uint64_t number = after->revision;
  publish(std::move(after));
  return {Outcome::kApplied, number, {}, {}};
}

/// The audit log's line for what changed nothing; append() wrote that of an applied change.
ApplyResult EngineImpl::finish(ApplyResult result, const ApplyOptions& options) {
  const char* outcome = result.outcome == Outcome::kInvalid       ? "invalid"
                        : result.outcome == Outcome::kConflict    ? "conflict"
                        : result.outcome == Outcome::kStoreFailed ? "store_failed"
                                                                  : nullptr;
  if (outcome != nullptr && !options.dry_run) audit_line(options, outcome, result.revision);
  return result;
}

void EngineImpl::audit_line(const ApplyOptions& options, const char* outcome, std::uint64_t revision) {
  const std::lock_guard lock(store_mutex_);
  store_->audit({unix_now(), options.author, options.comment, outcome, revision});
}

void EngineImpl::publish(std::shared_ptr<const State> next) {
  static const compile::Program kNothing;
  const auto before = state();
  const compile::Program& was = before->program ? *before->program : kNothing;
  const auto fresh = compile::slots_only_in(*next->program, was);
  auto retired = compile::slots_only_in(was, *next->program);
  // Nobody knows these yet. What was counted under an earlier owner of the number goes.
  for (const BackendSlot s : fresh.backends) shared_.backends.reset(s);
  for (const l7::MeterSlot s : fresh.meters) shared_.meters.reset(s);

  set_state(next);
  if (rcu_ != nullptr) {
    publish_snapshot(*next);
  } else if (shared_.snapshot.read() != nullptr) {
    return;  // Stopped: draining workers still run the last snapshot, so its slots stay taken.
  }
  for (const GroupSlot s : retired.groups) slots_.groups.release(s.value);
  waiting_.insert(waiting_.end(), retired.backends.begin(), retired.backends.end());
  waiting_meters_.insert(waiting_meters_.end(), retired.meters.begin(), retired.meters.end());
  release_idle_slots();
}

/// Started, and with a program.
void EngineImpl::publish_snapshot(const State& state) {
  const l7::Snapshot* old =
      shared_.snapshot.exchange(compile::make_snapshot(*state.program, state.revision, tickets_.keys(), staples_).release());
  rcu_->synchronize();
  delete old;
}

void EngineImpl::ticket_keys_changed() {
  {
    const std::lock_guard lock(state_mutex_);
    ticket_info_ = tickets_.info();
  }
  publish_again();
}

/// What stands beside the revision has changed.
void EngineImpl::publish_again() {
  if (const auto now = state(); rcu_ != nullptr && now->program) publish_snapshot(*now);
}

void EngineImpl::set_staples(std::shared_ptr<const l7::tls::Staples> staples) {
  const std::lock_guard lock(change_mutex_);
  staples_ = std::move(staples);
  publish_again();
}

TicketKeyring::Info EngineImpl::ticket_keys() const {
  const std::lock_guard lock(state_mutex_);
  return ticket_info_;
}

Status EngineImpl::set_ticket_keys(const std::vector<TicketSecret>& secrets, const ApplyOptions& options) {
  const std::lock_guard lock(change_mutex_);
  const Status set = tickets_.set(secrets, unix_now());
  if (set) ticket_keys_changed();
  audit_line(options, set ? "applied" : "store_failed", revision());
  return set;
}

Status EngineImpl::rotate_ticket_keys(std::int64_t now) {
  const std::lock_guard lock(change_mutex_);
  const auto rotated = tickets_.rotate(now);
  if (!rotated) return rotated.error();
  if (*rotated) ticket_keys_changed();
  return Ok{};
}

void EngineImpl::release_idle_slots() {
  // A request outlives the snapshot that it started under, and counts itself out at its slot when it ends.
  std::erase_if(waiting_, [this](BackendSlot s) {
    if (shared_.backends.active(s) != 0) return false;
    slots_.backends.release(s.value);
    return true;
  });
  std::erase_if(waiting_meters_, [this](l7::MeterSlot s) {
    if (shared_.meters.active(s) != 0) return false;
    slots_.meters.release(s.value);
    return true;
  });
}

std::vector<RevisionInfo> EngineImpl::revisions(std::size_t limit) const {
  const std::lock_guard lock(store_mutex_);
  std::vector<RevisionInfo> out;
  for (store::Revision& r : store_->revisions(limit)) {
    out.push_back({r.number, r.time, std::move(r.author), std::move(r.comment)});
  }
  return out;
}

Result<Config> EngineImpl::revision_config(std::uint64_t revision) const {
  const std::lock_guard lock(store_mutex_);
  auto stored = store_->load(revision);
  if (!stored) return stored.error();
  return std::move(stored->config);
}

std::vector<AuditInfo> EngineImpl::audit(std::size_t limit) const {
  const std::lock_guard lock(store_mutex_);
  std::vector<AuditInfo> out;
  for (store::AuditEntry& e : store_->audit_log(limit)) {
    out.push_back({e.time, std::move(e.author), std::move(e.action), std::move(e.outcome), e.revision});
  }
  return out;
}

std::optional<BackendSlot> EngineImpl::slot_of(const std::string& group, const std::string& member) const {
  const auto now = state();
  if (!now->program) return std::nullopt;
  const auto found = now->program->groups.find(group);
  if (found == now->program->groups.end()) return std::nullopt;
  for (const l7::Member& m : found->second->members) {
    if (m.id == member) return m.slot;
  }
  return std::nullopt;
}

std::string EngineImpl::name_of(BackendSlot slot) const {
  const auto now = state();
  if (!now->program || slot.value >= now->program->backends.size()) return {};
  const compile::BackendName& name = now->program->backends[slot.value];
  if (name.group == nullptr) return {};
  return name.group->id + "/" + name.group->members[name.member].id;
}

std::vector<CertificateExpiry> EngineImpl::certificate_expiries() const {
  const auto now = state();
  std::vector<CertificateExpiry> out;
  if (!now->program) return out;
  out.reserve(now->program->certificates.size());
  for (const auto& [id, certificate] : now->program->certificates) out.push_back({id, certificate->not_after()});
  return out;
}

std::vector<CertificateExpiry> EngineImpl::revocation_expiries() const {
  const auto now = state();
  std::vector<CertificateExpiry> out;
  if (!now->program) return out;
  for (const auto& [id, authority] : now->program->authorities) {
    if (authority->revocations_end() != 0) out.push_back({id, authority->revocations_end()});
  }
  return out;
}

std::vector<RunningCertificate> EngineImpl::certificates() const {
  const auto now = state();
  std::vector<RunningCertificate> out;
  if (!now->program) return out;
  std::unordered_set<std::string_view> presented;
  for (const auto& [id, listener] : now->config->listeners) {
    for (const config::CertificateRef& ref : listener.certificates) presented.insert(ref.certificate);
  }
  out.reserve(now->program->certificates.size());
  for (const auto& [id, certificate] : now->program->certificates) {
    out.push_back({id, certificate, presented.contains(id), now->config->certificates.at(id).ocsp_stapling});
  }
  return out;
}

std::optional<l7::MeterSlot> EngineImpl::meter_of_load_balancer(const std::string& id) const {
  const auto now = state();
  if (!now->program) return std::nullopt;
  const auto found = now->program->load_balancers.find(id);
  return found == now->program->load_balancers.end() ? std::nullopt : std::optional(found->second.slot);
}

std::optional<l7::MeterSlot> EngineImpl::meter_of_listener(const std::string& id) const {
  const auto now = state();
  if (!now->program) return std::nullopt;
  const auto found = now->program->listeners.find(id);
  return found == now->program->listeners.end() ? std::nullopt : std::optional(found->second.listener->own.slot);
}

Engine::Explanation EngineImpl::explain(const ExplainRequest& request) const {
  const auto now = state();
  if (now->program) return explain_request(*now->program, request);
  Explanation out;
  out.decision = "no_listener";
  out.reason = "Nothing is served yet.";
  return out;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const Options& options, l7::proxy::Shared& shared) {
  auto store = store::Store::open(options.data_folder);
  if (!store) return store.error();
  auto last = (*store)->load_last();
  if (!last) return last.error();
  auto tickets = TicketKeyring::open(options.data_folder + "/ticket-keys", unix_now());
  if (!tickets) return tickets.error();
  return std::unique_ptr<Engine>(new EngineImpl(std::move(store).value(), std::move(last).value(), options.workers,
                                                std::move(tickets).value(), shared));
}

}  // namespace sluice::mgmt
