// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/async.h>
#include <openssl/err.h>

#include <atomic>
#include <functional>

namespace sluice::test {

/// What a device of the test engine or provider does for a job of OpenSSL's; on the stack of the job that waits for it.
struct AsyncOperation {
  std::function<void()> work;
  ASYNC_WAIT_CTX* wait = nullptr;
  std::atomic<bool> done = false;

  /// Any thread. Does the work, and tells whoever asked to be told.
  void finish() {
    ASYNC_callback_fn callback = nullptr;
    void* argument = nullptr;
    const bool told = ASYNC_WAIT_CTX_get_callback(wait, &callback, &argument) == 1;
    work();
    ERR_clear_error();
    done = true;  // from here on this may be gone, if it was not told
    if (told) callback(argument);
  }
};

}  // namespace sluice::test
