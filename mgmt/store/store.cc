// SPDX-License-Identifier: Apache-2.0
#include "mgmt/store/store.h"

#include <algorithm>
#include <type_traits>

#include "mgmt/config/json.h"

namespace sluice::mgmt::store {
namespace {

using config::Config;
using config::KindOf;

/// Raised with each change of the tables; an older program refuses a newer file.
constexpr std::int64_t kSchemaVersion = 1;

constexpr const char* kSchema = R"sql(
CREATE TABLE revisions (number INTEGER PRIMARY KEY, time INTEGER NOT NULL, author TEXT NOT NULL,
                        comment TEXT NOT NULL);
CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER,
                      age INTEGER NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX objects_current ON objects (kind, id) WHERE until IS NULL;
CREATE INDEX objects_until ON objects (until) WHERE until IS NOT NULL;
CREATE TABLE audit (number INTEGER PRIMARY KEY, time INTEGER NOT NULL, author TEXT NOT NULL, action TEXT NOT NULL,
                    outcome TEXT NOT NULL, revision INTEGER NOT NULL);
PRAGMA user_version = 1;
)sql";

/// Writes the difference of one kind: rows end that are gone or changed, rows begin that are new or changed.
class ChangeWriter {
 public:
  ChangeWriter(Database& db, std::uint64_t revision,
               const std::function<std::uint64_t(const std::string&)>& age_of)
      : db_(db),
        find_(db.prepare("SELECT rowid, age FROM objects WHERE kind = ? AND id = ? AND until IS NULL")),
        end_(db.prepare("UPDATE objects SET until = ? WHERE rowid = ?")),
        begin_(db.prepare("INSERT INTO objects (kind, id, since, age, body) VALUES (?, ?, ?, ?, ?)")),
        revision_(static_cast<std::int64_t>(revision)),
        age_of_(age_of) {}

  template <class T>
  bool write(const Config& current, const Config& next) {
    const auto& before = current.*KindOf<T>::kMap;
    const auto& after = next.*KindOf<T>::kMap;
    auto b = before.begin();
    auto a = after.begin();
    while (b != before.end() || a != after.end()) {
      if (a == after.end() || (b != before.end() && b->first < a->first)) {
        if (!end(KindOf<T>::kMember, b->first)) return false;
        ++b;
      } else if (b == before.end() || a->first < b->first) {
        const std::uint64_t age = std::is_same_v<T, config::Rule> ? age_of_(a->first) : 0;
        if (!begin(KindOf<T>::kMember, a->first, age, body(a->second))) return false;
        ++a;
      } else {
        if (!(a->second == b->second)) {
          if (!end(KindOf<T>::kMember, a->first)) return false;
          if (!begin(KindOf<T>::kMember, a->first, ended_age_, body(a->second))) return false;
        }
        ++a, ++b;
      }
    }
    return true;
  }

 private:
  template <class T>
  static std::string body(const T& x) {
    return config::to_json(x, config::Secrets::kShow)
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  bool end(std::string_view kind, std::string_view id) {
    find_.reset();
    if (!find_.valid() || !find_.bind(kind).bind(id).step()) return false;
    const std::int64_t row = find_.number(0);
    ended_age_ = static_cast<std::uint64_t>(find_.number(1));
    find_.reset();
    end_.reset();
    return end_.valid() && end_.bind(revision_).bind(row).run();
  }
  bool begin(std::string_view kind, std::string_view id, std::uint64_t age, const std::string& text) {
    begin_.reset();
    return begin_.valid() &&
           begin_.bind(kind).bind(id).bind(revision_).bind(static_cast<std::int64_t>(age)).bind(text).run();
  }

  Database& db_;
  Statement find_, end_, begin_;
  std::int64_t revision_;
  const std::function<std::uint64_t(const std::string&)>& age_of_;
  std::uint64_t ended_age_ = 0;
};

template <class T>
std::string add_object(Config& config, std::string_view id, std::string_view body) {
  auto document = config::json_from_text(body);
  if (!document.ok()) return document.errors.front().message;
  auto parsed = config::resource_from_json<T>(document.value, id);
  if (!parsed.ok()) return parsed.errors.front().path + " " + parsed.errors.front().message;
  (config.*KindOf<T>::kMap).insert_or_assign(std::string(id), std::move(parsed.value));
  return {};
}

/// Empty, or what is wrong with the row.
std::string add_row(Stored& out, std::string_view kind, std::string_view id, std::int64_t age,
                    std::string_view body) {
  if (kind == KindOf<config::Rule>::kMember) {
    out.rule_ages.emplace(id, static_cast<std::uint64_t>(age));
    return add_object<config::Rule>(out.config, id, body);
  }
  if (kind == KindOf<config::AddressPool>::kMember)
    return add_object<config::AddressPool>(out.config, id, body);
  if (kind == KindOf<config::AccessControlList>::kMember)
    return add_object<config::AccessControlList>(out.config, id, body);
  if (kind == KindOf<config::LoadBalancer>::kMember)
    return add_object<config::LoadBalancer>(out.config, id, body);
  if (kind == KindOf<config::Listener>::kMember) return add_object<config::Listener>(out.config, id, body);
  if (kind == KindOf<config::ServerGroup>::kMember)
    return add_object<config::ServerGroup>(out.config, id, body);
  if (kind == KindOf<config::Certificate>::kMember)
    return add_object<config::Certificate>(out.config, id, body);
  if (kind == KindOf<config::CertificateAuthority>::kMember)
    return add_object<config::CertificateAuthority>(out.config, id, body);
  if (kind == KindOf<config::TlsPolicy>::kMember) return add_object<config::TlsPolicy>(out.config, id, body);
  return "is of an unknown kind";
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& folder) {
  auto held = DataFolder::open(folder);
  if (!held) return held.error();
  auto file = held->file("sluice.db");
  if (!file) return file.error();
  auto db = Database::open(*file);
  if (!db) return db.error();
  std::unique_ptr<Store> out(new Store(std::move(held).value(), std::move(db).value()));
  if (Status ready = out->prepare_schema(); !ready) return Error{*file + ": " + ready.error().message};
  return out;
}

Status Store::prepare_schema() {
  // The first statement that reads the file: what is no database shows here.
  Statement version = db_.prepare("PRAGMA user_version");
  if (!version.step()) return Error{db_.failure("opening").message};
  const std::int64_t found = version.number(0);
  version.reset();
  if (found > kSchemaVersion) {
    return Error{"written by a newer version (schema " + std::to_string(found) + ", this program knows " +
                 std::to_string(kSchemaVersion) + ")"};
  }
  Statement check = db_.prepare("PRAGMA integrity_check(1)");
  if (!check.step()) return Error{db_.failure("checking").message};
  if (check.text(0) != "ok") {
    return Error{"the database is damaged (" + std::string(check.text(0)) +
                 "); restore it from a backup, or move it away to start empty"};
  }
  check.reset();
  // A commit is on the disk before its revision is published. The cache (KiB) holds a change of 100,000 rules.
  if (!db_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                   "PRAGMA cache_size = -131072")) {
    return Error{db_.failure("opening").message};
  }
  if (found == kSchemaVersion) return Ok{};
  Transaction t(db_);
  if (!t.began() || !db_.execute(kSchema) || !t.commit())
    return Error{db_.failure("making the tables").message};
  return Ok{};
}

Result<Stored> Store::load_last() {
  const std::int64_t last = db_.pragma("SELECT max(number) FROM revisions");
  if (last == 0) return Stored{};
  return load(static_cast<std::uint64_t>(last));
}

Result<Stored> Store::load(std::uint64_t revision) {
  const auto number = static_cast<std::int64_t>(revision);
  Statement known = db_.prepare("SELECT 1 FROM revisions WHERE number = ?");
  if (!known.valid() || !known.bind(number).step()) {
    return Error{"revision " + std::to_string(revision) + " does not exist, or is no longer kept"};
  }
  Stored out;
  out.revision = revision;
  Statement rows = db_.prepare(
      "SELECT kind, id, age, body FROM objects WHERE since <= ?1 AND (until IS NULL OR until > ?1)");
  if (!rows.valid()) return Error{db_.failure("reading").message};
  rows.bind(number);
  while (rows.step()) {
    const std::string wrong = add_row(out, rows.text(0), rows.text(1), rows.number(2), rows.text(3));
    if (wrong.empty()) continue;
    return Error{"revision " + std::to_string(revision) + ": " + std::string(rows.text(0)) + " \"" +
                 std::string(rows.text(1)) + "\": " + wrong};
  }
  if (!rows.done()) return Error{db_.failure("reading revision " + std::to_string(revision)).message};
  return out;
}

std::optional<Failure> Store::append(const Revision& r, const Config& current, const Config& next,
                                     const std::function<std::uint64_t(const std::string&)>& age_of) {
  const std::string doing = "storing revision " + std::to_string(r.number);
  Transaction t(db_);
  if (!t.began() || !write_changes(r, current, next, age_of) || !prune(r.number) ||
      !write_audit({r.time, r.author, r.comment, "applied", r.number}) || !t.commit()) {
    return db_.failure(doing);
  }
  return std::nullopt;
}

bool Store::write_changes(const Revision& r, const Config& current, const Config& next,
                          const std::function<std::uint64_t(const std::string&)>& age_of) {
  Statement insert = db_.prepare("INSERT INTO revisions (number, time, author, comment) VALUES (?, ?, ?, ?)");
  if (!insert.valid() ||
      !insert.bind(static_cast<std::int64_t>(r.number)).bind(r.time).bind(r.author).bind(r.comment).run()) {
    return false;
  }
  ChangeWriter changes(db_, r.number, age_of);
  return changes.write<config::AddressPool>(current, next) &&
         changes.write<config::AccessControlList>(current, next) &&
         changes.write<config::LoadBalancer>(current, next) &&
         changes.write<config::Listener>(current, next) && changes.write<config::Rule>(current, next) &&
         changes.write<config::ServerGroup>(current, next) &&
         changes.write<config::Certificate>(current, next) &&
         changes.write<config::CertificateAuthority>(current, next) && changes.write<config::TlsPolicy>(current, next);
}

bool Store::prune(std::uint64_t newest) {
  if (newest <= kRevisions) return true;
  const auto oldest = static_cast<std::int64_t>(newest - kRevisions + 1);
  Statement revisions = db_.prepare("DELETE FROM revisions WHERE number < ?");
  Statement objects = db_.prepare("DELETE FROM objects WHERE until IS NOT NULL AND until <= ?");
  return revisions.valid() && revisions.bind(oldest).run() && objects.valid() && objects.bind(oldest).run();
}

std::vector<Revision> Store::revisions(std::size_t limit) {
  std::vector<Revision> out;
  Statement rows =
      db_.prepare("SELECT number, time, author, comment FROM revisions ORDER BY number DESC LIMIT ?");
  if (!rows.valid()) return out;
  rows.bind(static_cast<std::int64_t>(std::min<std::size_t>(limit, kRevisions)));
  while (rows.step()) {
    out.push_back({static_cast<std::uint64_t>(rows.number(0)), rows.number(1), std::string(rows.text(2)),
                   std::string(rows.text(3))});
  }
  return out;
}

bool Store::write_audit(const AuditEntry& entry) {
  Statement insert = db_.prepare(
      "INSERT INTO audit (time, author, action, outcome, revision) VALUES (?, ?, ?, ?, ?) RETURNING number");
  if (!insert.valid()) return false;
  insert.bind(entry.time).bind(entry.author).bind(entry.action).bind(entry.outcome);
  if (!insert.bind(static_cast<std::int64_t>(entry.revision)).step()) return false;
  const std::int64_t oldest = insert.number(0) - static_cast<std::int64_t>(kAuditEntries);
  if (!insert.run()) return false;
  Statement prune = db_.prepare("DELETE FROM audit WHERE number <= ?");
  return prune.valid() && prune.bind(oldest).run();
}

void Store::audit(const AuditEntry& entry) {
  Transaction t(db_);
  if (t.began() && write_audit(entry)) t.commit();
}

std::vector<AuditEntry> Store::audit_log(std::size_t limit) {
  std::vector<AuditEntry> out;
  Statement rows =
      db_.prepare("SELECT time, author, action, outcome, revision FROM audit ORDER BY number DESC LIMIT ?");
  if (!rows.valid()) return out;
  rows.bind(static_cast<std::int64_t>(std::min<std::size_t>(limit, kAuditEntries)));
  while (rows.step()) {
    out.push_back({rows.number(0), std::string(rows.text(1)), std::string(rows.text(2)),
                   std::string(rows.text(3)), static_cast<std::uint64_t>(rows.number(4))});
  }
  return out;
}

}  // namespace sluice::mgmt::store
