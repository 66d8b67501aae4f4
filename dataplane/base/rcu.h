// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "dataplane/base/ids.h"

struct rte_rcu_qsbr;

namespace sluice {

/// Quiescent-state-based reclamation (rte_rcu_qsbr). Workers report from their loop; a management thread that
/// has unlinked something calls synchronize() before it frees it.
class Rcu {
 public:
  explicit Rcu(std::size_t workers);
  ~Rcu();
  Rcu(const Rcu&) = delete;
  Rcu& operator=(const Rcu&) = delete;

  // Worker side; each call by the worker of that id only.
  void online(WorkerId w);     ///< Before the first read, and after sleeping.
  void offline(WorkerId w);    ///< Before sleeping or leaving: this worker holds nothing.
  void quiescent(WorkerId w);  ///< Once a loop: nothing read before this call is used after it.

  /// Management side: returns when every online worker has been quiescent once since the call.
  void synchronize();

 private:
  struct Free {
    void operator()(rte_rcu_qsbr* q) const;
  };
  std::unique_ptr<rte_rcu_qsbr, Free> qsbr_;
};

/// The one pointer through which workers see what management publishes.
template <class T>
class RcuPtr {
 public:
  /// Worker: valid until its next quiescent() or offline().
  const T* read() const { return p_.load(std::memory_order_acquire); }
  /// Management: returns what was there, to be freed after Rcu::synchronize().
  const T* exchange(const T* next) { return p_.exchange(next, std::memory_order_acq_rel); }

 private:
  std::atomic<const T*> p_{nullptr};
};

}  // namespace sluice
