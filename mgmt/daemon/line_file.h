// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace sluice::mgmt::daemon {

/// A file of lines that outlives a full disk and a reader that went away: what cannot be written is counted
/// and dropped, whole lines only, and writing goes on when it can. Buffered; one thread writes, any thread
/// may ask for reopening and read the counters.
class LineFile {
 public:
  /// `path` "-": the standard stream that `standard` is the number of.
  explicit LineFile(std::string path, int standard = 1);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  Status open();
  /// After rotation (SIGHUP): the path is opened anew before the next write; the old file stays when that
  /// fails.
  void request_reopen() { reopen_.store(true, std::memory_order_relaxed); }

  /// `line` ends with a newline.
  void add(std::string_view line);
  void flush();

  std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }  ///< Lines.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }        ///< Lines.
  /// Why the last line was lost, as errno; 0: writing works.
  int last_error() const { return last_error_.load(std::memory_order_relaxed); }

 private:
  void reopen_if_asked();
  /// Writes what it can of buffer_, returns how many bytes that was.
  std::size_t write_some();
  void drop_whole_lines();

  const std::string path_;
  const int standard_;
  int fd_ = -1;
  bool regular_ = false;  ///< A disk file: write() does not wait for a reader.
  std::string buffer_;
  std::size_t torn_ =
      0;  ///< Bytes at the front of buffer_ that end a line of which the file has the beginning.
  std::atomic<bool> reopen_{false};
  std::atomic<std::uint64_t> written_{0}, lost_{0};
  std::atomic<int> last_error_{0};
};

}  // namespace sluice::mgmt::daemon
