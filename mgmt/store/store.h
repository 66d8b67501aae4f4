// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "mgmt/config/model.h"
#include "mgmt/store/data_folder.h"
#include "mgmt/store/database.h"

namespace sluice::mgmt::store {

struct Revision {
  std::uint64_t number = 0;
  std::int64_t time = 0;  ///< Unix seconds.
  std::string author, comment;
};

/// One line of the audit log.
struct AuditEntry {
  std::int64_t time = 0;  ///< Unix seconds.
  std::string author, action, outcome;
  std::uint64_t revision = 0;  ///< That was running afterwards.
};

/// A configuration as it was stored.
struct Stored {
  std::uint64_t revision = 0;  ///< 0: nothing was ever stored.
  config::Config config;
  std::map<std::string, std::uint64_t> rule_ages;
};

/// Numbered revisions of the configuration in SQLite. Each resource is one row of JSON with the revisions in
/// which it lived [since, until): a change costs what it changes, and any revision that is kept can be put
/// together again. Private keys are in it: its file is for its owner only. Not thread-safe; the engine
/// serialises.
class Store {
 public:
  static constexpr std::uint64_t kRevisions = 100;  ///< Kept; older ones are pruned.
  static constexpr std::uint64_t kAuditEntries = 10000;

  /// Takes the folder, opens or makes the database, checks it. Errors: second instance, damaged, newer than
  /// this program.
  static Result<std::unique_ptr<Store>> open(const std::string& folder);

  Result<Stored> load_last();
  /// An error when it is not kept (any more).
  Result<Stored> load(std::uint64_t revision);

  /// `next` becomes revision `r.number`, one more than that of `current`, on the disk when this returns
  /// without a failure, together with its line in the audit log. `age_of(rule id)` for rules that are not in
  /// `current`.
  std::optional<Failure> append(const Revision& r, const config::Config& current, const config::Config& next,
                                const std::function<std::uint64_t(const std::string&)>& age_of);

  /// Newest first.
  std::vector<Revision> revisions(std::size_t limit);

  /// For what changed nothing. Best effort: a disk that is full cannot hold that it was full.
  void audit(const AuditEntry& entry);
  std::vector<AuditEntry> audit_log(std::size_t limit);

  Database& database() { return db_; }

 private:
  Store(DataFolder folder, Database db) : folder_(std::move(folder)), db_(std::move(db)) {}
  Status prepare_schema();
  bool write_changes(const Revision& r, const config::Config& current, const config::Config& next,
                     const std::function<std::uint64_t(const std::string&)>& age_of);
  bool prune(std::uint64_t newest);
  bool write_audit(const AuditEntry& entry);

  DataFolder folder_;
  Database db_;
};

}  // namespace sluice::mgmt::store
