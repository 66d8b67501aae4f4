// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/host.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace sluice::mgmt::daemon {

cpu_set_t allowed_cores() {
  cpu_set_t out;
  CPU_ZERO(&out);
  if (::sched_getaffinity(0, sizeof out, &out) != 0) CPU_SET(0, &out);
  return out;
}

cpu_set_t management_cores(const cpu_set_t& allowed, const std::vector<unsigned>& workers) {
  cpu_set_t out = allowed;
  for (const unsigned core : workers) {
    if (core < CPU_SETSIZE) CPU_CLR(core, &out);
  }
  return CPU_COUNT(&out) > 0 ? out : allowed;
}

void run_on(const cpu_set_t& cores) { ::sched_setaffinity(0, sizeof cores, &cores); }

void notify_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || (*path != '/' && *path != '@') || std::strlen(path) >= sizeof address.sun_path)
    return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (*path == '@') address.sun_path[0] = '\0';  // abstract namespace
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  const int s = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (s < 0) return;
  ::sendto(s, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  ::close(s);
}

}  // namespace sluice::mgmt::daemon
