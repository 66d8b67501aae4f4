// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/socket.h"

#include "l4/tcp/stack_impl.h"
#include "l4/tcp/user.h"

namespace sluice::l4::tcp {

Socket::Socket(Stack::Impl& stack, const FlowKey& flow, bool passive)
    : core(stack.env(), flow, passive), timer(&Stack::Impl::on_timer, this), stack_(stack) {}

void Socket::send(BufChain data, Instant) {
  user_send(core, std::move(data));
  stack_.want_output(*this);
}

std::size_t Socket::send_space() const { return user_send_space(core); }

void Socket::consumed(std::size_t n, Instant) {
  user_consumed(core, n);
  if (core.ack_debt.now) stack_.want_output(*this);
}

void Socket::shutdown(Instant now) {
  user_shutdown(core, now);
  stack_.want_output(*this);
}

void Socket::abort(Instant now) { stack_.abort(*this, now); }

}  // namespace sluice::l4::tcp
