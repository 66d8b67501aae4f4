// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/rcu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Rcu, DoesNotWaitForWorkersThatAreOffline) {
  Rcu rcu(2);
  rcu.synchronize();
  rcu.online(WorkerId{0});
  rcu.offline(WorkerId{0});
  rcu.synchronize();
}

TEST(Rcu, WaitsUntilEveryOnlineWorkerHasBeenQuiescent) {
  Rcu rcu(2);
  rcu.online(WorkerId{0});
  rcu.online(WorkerId{1});
  std::atomic<bool> done{false};
  std::thread management([&] {
    rcu.synchronize();
    done = true;
  });
  rcu.quiescent(WorkerId{0});
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(done);
  // The token may be younger than the first report of worker 0.
  while (!done) {
    rcu.quiescent(WorkerId{0});
    rcu.quiescent(WorkerId{1});
    std::this_thread::yield();
  }
  management.join();
  rcu.offline(WorkerId{0});
  rcu.offline(WorkerId{1});
}

TEST(RcuPtr, NoReaderSeesAFreedValue) {
  Rcu rcu(1);
  RcuPtr<std::uint64_t> current;
  current.exchange(new std::uint64_t(1));
  std::atomic<bool> stop{false};
  std::atomic<bool> wrong{false};
  std::thread worker([&] {
    rcu.online(WorkerId{0});
    while (!stop) {
      const std::uint64_t* p = current.read();
      if (*p == 0) wrong = true;
      rcu.quiescent(WorkerId{0});
    }
    rcu.offline(WorkerId{0});
  });
  for (std::uint64_t i = 2; i < 200; ++i) {
    auto* old = const_cast<std::uint64_t*>(current.exchange(new std::uint64_t(i)));
    rcu.synchronize();
    *old = 0;
    delete old;
  }
  stop = true;
  worker.join();
  EXPECT_FALSE(wrong);
  delete current.exchange(nullptr);
}

}  // namespace
}  // namespace sluice
