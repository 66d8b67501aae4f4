// SPDX-License-Identifier: Apache-2.0
#include "mgmt/store/database.h"

#include <sqlite3.h>

namespace sluice::mgmt::store {

namespace {

void remember(sqlite3* db, LastError& error) { error = {sqlite3_errcode(db), sqlite3_errmsg(db)}; }

}  // namespace

Statement::Statement(sqlite3* db, const char* sql, LastError& error) : error_(&error) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &s, nullptr) != SQLITE_OK) remember(db, error);
  statement_.reset(s);
}

void Statement::Finalize::operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }

Statement& Statement::bind(std::int64_t number) {
  sqlite3_bind_int64(statement_.get(), ++bound_, number);
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  sqlite3_bind_text64(statement_.get(), ++bound_, text.data() != nullptr ? text.data() : "", text.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

bool Statement::step() {
  if (!statement_) return false;
  const int rc = sqlite3_step(statement_.get());
  done_ = rc == SQLITE_DONE;
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) remember(sqlite3_db_handle(statement_.get()), *error_);
  return rc == SQLITE_ROW;
}

bool Statement::run() {
  while (step()) {
  }
  return done_;
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return text == nullptr
             ? std::string_view()
             : std::string_view(text,
                                static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bound_ = 0;
  done_ = false;
}

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Result<Database> Database::open(const std::string& file) {
  sqlite3* db = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int rc = sqlite3_open_v2(file.c_str(), &db, kFlags, nullptr);
  Database out;
  out.db_.reset(db);
  if (rc != SQLITE_OK) return Error{file + ": " + (db != nullptr ? sqlite3_errmsg(db) : "out of memory")};
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 2000);
  return out;
}

bool Database::execute(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return true;
  remember(db_.get(), *error_);
  return false;
}

std::int64_t Database::pragma(const char* sql) {
  Statement s = prepare(sql);
  return s.step() ? s.number(0) : 0;
}

Failure Database::failure(const std::string& doing) const {
  const std::string& reason = error_->text;
  const auto say = [&](const char* what) { return doing + ": " + what + " (" + reason + ")"; };
  switch (error_->code & 0xff) {
    case SQLITE_FULL:
      return {Failure::Kind::kFull, say("no space left for the database; free some and try again")};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Failure::Kind::kBusy, say("another program holds the database; try again")};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {Failure::Kind::kReadOnly, say("the database cannot be written")};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Failure::Kind::kDamaged, say("the database is damaged")};
    default:
      return {Failure::Kind::kOther, doing + ": " + reason};
  }
}

Transaction::~Transaction() {
  if (open_) db_.execute("ROLLBACK");
}

bool Transaction::commit() {
  if (!db_.execute("COMMIT")) return false;
  open_ = false;
  return true;
}

}  // namespace sluice::mgmt::store
