// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::mgmt::store {

/// Why the store could not do what it was asked. Nothing was changed.
struct Failure {
  enum class Kind : std::uint8_t {
    kFull,      ///< No space left, or the database's own limit.
    kBusy,      ///< Somebody else holds the database.
    kReadOnly,  ///< File or file system.
    kDamaged,   ///< Not a database, or not a sound one.
    kOther,
  } kind = Kind::kOther;
  std::string message;  ///< For the person who must mend it.
};

/// What SQLite said when something last went wrong; its own memory of that ends with the next call.
struct LastError {
  int code = 0;
  std::string text;
};

/// One prepared statement: bind in order, step through rows, read columns. One thread at a time.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql, LastError& error);
  /// False: see Database::failure().
  bool valid() const { return statement_ != nullptr; }
  Statement& bind(std::int64_t number);
  Statement& bind(std::string_view text);
  /// A row is there to be read.
  bool step();
  /// Runs to the end. False: it failed.
  bool run();
  /// The last step() ended because there is no further row.
  bool done() const { return done_; }
  std::int64_t number(int column) const;
  std::string_view text(int column) const;  ///< Until the next step().
  /// Back to the start with nothing bound.
  void reset();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  LastError* error_;
  int bound_ = 0;
  bool done_ = false;
};

/// An open SQLite database. One thread at a time.
class Database {
 public:
  static Result<Database> open(const std::string& file);
  Statement prepare(const char* sql) { return Statement(db_.get(), sql, *error_); }
  /// Several statements without results. False: see failure().
  bool execute(const char* sql);
  /// The last thing that went wrong. `doing`: "storing revision 7".
  Failure failure(const std::string& doing) const;
  std::int64_t pragma(const char* sql);  ///< First column of the first row; 0: none.
  sqlite3* raw() { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  std::unique_ptr<sqlite3, Close> db_;
  std::unique_ptr<LastError> error_ = std::make_unique<LastError>();  // Statements point to it.
};

/// BEGIN IMMEDIATE ... COMMIT; rolled back unless commit() succeeded.
class Transaction {
 public:
  explicit Transaction(Database& db) : db_(db), open_(db.execute("BEGIN IMMEDIATE")) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  bool began() const { return open_; }
  bool commit();

 private:
  Database& db_;
  bool open_;
};

}  // namespace sluice::mgmt::store
