// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port/port.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "dataplane/port/pci.h"

namespace sluice::port {
namespace {

constexpr std::uint64_t kRxChecksums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
constexpr std::uint64_t kTxWanted = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
                                    RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
                                    RTE_ETH_TX_OFFLOAD_TCP_TSO;

/// TAP's driver sums the segments of a packet as if each began at an even offset: wrong behind one of odd length.
std::uint64_t sound_tx_offloads(std::string_view driver) {
  return driver == "net_tap" ? std::uint64_t{RTE_ETH_TX_OFFLOAD_MULTI_SEGS} : kTxWanted;
}

/// Value of one argument in a vdev string.
std::string vdev_argument(std::string_view device, std::string_view key) {
  while (!device.empty()) {
    const std::string_view item = device.substr(0, device.find(','));
    if (item.size() > key.size() && item.starts_with(key) && item[key.size()] == '=') {
      return std::string(item.substr(key.size() + 1));
    }
    device.remove_prefix(std::min(device.size(), item.size() + 1));
  }
  return {};
}

/// The path of the socket that this virtual device will make and listen on; empty: it makes none.
std::string listening_socket(std::string_view device) {
  if (device.starts_with("net_memif") && vdev_argument(device, "role") == "server" &&
      vdev_argument(device, "socket-abstract") == "no") {
    return vdev_argument(device, "socket");
  }
  if (device.starts_with("net_vhost") && vdev_argument(device, "client") != "1")
    return vdev_argument(device, "iface");
  if (device.starts_with("net_virtio_user") && vdev_argument(device, "server") == "1") return vdev_argument(device, "path");
  return {};
}

/// One that a process left behind which did not end in good order: DPDK would refuse to make its own there.
/// Where somebody listens, that is left to DPDK to say.
void remove_stale_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  struct stat is {};
  if (path.size() >= sizeof address.sun_path || stat(path.c_str(), &is) != 0 || !S_ISSOCK(is.st_mode)) return;
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // memif's are SOCK_SEQPACKET: EPROTOTYPE says that one of them is alive.
  const int code = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  close(fd);
  if (code == ECONNREFUSED) unlink(path.c_str());
}

/// Drivers whose other end is a stack on the same machine, and which do not say of a packet whether its
/// checksum is only begun. (virtio's do.)
bool has_kernel_peer(std::string_view driver) {
  constexpr std::array<std::string_view, 4> kDrivers{"net_af_packet", "net_af_xdp", "net_tap", "net_vhost"};
  return std::ranges::find(kDrivers, driver) != kDrivers.end();
}

/// Any 16-bit pattern that repeats makes the Toeplitz hash symmetric: both directions of a flow reach one
/// queue. 40 bytes with most devices, 52 with some.
std::array<std::uint8_t, 52> symmetric_key() {
  std::array<std::uint8_t, 52> key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = i % 2 == 0 ? 0x6d : 0x5a;
  return key;
}

}  // namespace

Error Port::error(const std::string& what, int code) const {
  return Error{"port " + settings_.name + " (" + settings_.device + "): " + what +
               (code == 0 ? "" : ": " + std::string(rte_strerror(std::abs(code))))};
}

Result<std::unique_ptr<Port>> Port::open(const PortSettings& settings) {
  std::unique_ptr<Port> port(new Port(settings));
  if (Status s = port->find_device(); !s) return s.error();
  if (Status s = port->configure(); !s) return s.error();
  return port;
}

Status Port::find_device() {
  const std::string& device = settings_.device;
  std::string name = device.substr(0, device.find(','));
  if (is_pci_address(name)) {
    if (name.size() == 7) name = "0000:" + name;
    if (rte_eth_dev_get_port_by_name(name.c_str(), &id_) != 0) return error(why_no_pci_port(name), 0);
    return Ok{};
  }
  if (!name.starts_with("net_")) {
    return error("neither a PCI address (0000:00:05.0) nor a DPDK virtual device (net_af_packet0,iface=eth0)",
                 0);
  }
  const std::string args = device.size() > name.size() ? device.substr(name.size() + 1) : "";
  const std::string iface = vdev_argument(device, "iface");
  // Elsewhere "iface" is a name to be made (TAP) or a socket (vhost-user).
  const bool on_interface = name.starts_with("net_af_packet") || name.starts_with("net_af_xdp");
  if (!iface.empty() && on_interface && if_nametoindex(iface.c_str()) == 0) {
    return error("there is no network interface " + iface, 0);
  }
  remove_stale_socket(listening_socket(device));
  const int code = rte_eal_hotplug_add("vdev", name.c_str(), args.c_str());
  if (code != 0)
    return error("DPDK does not take this virtual device (unknown driver or bad arguments)", code);
  vdev_ = name;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id_) != 0)
    return error("the device is not an Ethernet port", 0);
  if (on_interface) kernel_device_ = iface;  // these drivers report the link as always up
  return Ok{};
}

/// Virtual devices, in the kernel; virtio, by automatic receive steering (Virtio 1.1, 5.1.6.5.5): the device
/// learns from what each queue sends, so that a flow comes in where its owner sends it.
bool Port::spreads_by_itself() const { return !vdev_.empty() || traits_.driver == "net_virtio"; }

Status Port::configure() {
  rte_eth_dev_info info{};
  int code = rte_eth_dev_info_get(id_, &info);
  if (code != 0) return error("no device information", code);
  traits_.driver = info.driver_name;
  traits_.kernel_peer = has_kernel_peer(traits_.driver);

  std::uint16_t most = std::min({settings_.workers, info.max_rx_queues, info.max_tx_queues});
  // memif offers 255 queues whatever its peer has, and those without a ring of the peer's lie over the first
  // one.
  if (traits_.driver == "net_memif") most = std::min<std::uint16_t>(most, 1);
  if (most == 0) return error("the device has no queues", 0);
  // Of a device that does not spread packets over its queues itself we ask RSS, or use one queue.
  constexpr std::uint64_t kRssTypes = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP;
  const bool rss = vdev_.empty() && most > 1 && (info.flow_type_rss_offloads & kRssTypes) != 0;
  traits_.queues = rss || spreads_by_itself() ? most : std::uint16_t{1};

  if (vdev_.empty() && (settings_.mtu < info.min_mtu || settings_.mtu > info.max_mtu)) {
    return error("MTU " + std::to_string(settings_.mtu) + " is not within the device's " +
                     std::to_string(info.min_mtu) + " to " + std::to_string(info.max_mtu),
                 0);
  }
  rte_eth_conf conf{};
  conf.rxmode.offloads = info.rx_offload_capa & kRxChecksums;
  if ((info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0) {
    conf.rxmode.offloads |= info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER);
    conf.rxmode.max_lro_pkt_size = info.max_lro_pkt_size;
  }
  conf.txmode.offloads = info.tx_offload_capa & sound_tx_offloads(traits_.driver);
  if (settings_.mtu <= info.max_mtu && settings_.mtu >= info.min_mtu) conf.rxmode.mtu = settings_.mtu;
  auto key = symmetric_key();
  if (rss) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & kRssTypes;
    conf.rx_adv_conf.rss_conf.rss_key = info.hash_key_size <= key.size() ? key.data() : nullptr;
    conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size;
  }
  code = rte_eth_dev_configure(id_, traits_.queues, traits_.queues, &conf);
  if (code != 0 && rss) {
    // Some devices have a key that cannot be changed. Handover makes any spreading correct.
    conf.rx_adv_conf.rss_conf.rss_key = nullptr;
    conf.rx_adv_conf.rss_conf.rss_key_len = 0;
    code = rte_eth_dev_configure(id_, traits_.queues, traits_.queues, &conf);
  }
  if (code != 0) return error("the device refuses its configuration", code);

  const std::uint64_t tx = conf.txmode.offloads;
  traits_.rx_checksum = (conf.rxmode.offloads & kRxChecksums) != 0;
  traits_.rx_lro = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
  traits_.tx_ipv4_checksum = (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  traits_.tx_tcp_checksum = (tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  traits_.tx_udp_checksum = (tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
  traits_.tx_multi_segment = (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
  if ((tx & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0 && traits_.tx_multi_segment && traits_.tx_tcp_checksum) {
    // One packet shall not fill the ring.
    traits_.tx_tcp_segmentation =
        std::min<std::uint16_t>(info.tx_desc_lim.nb_seg_max, settings_.tx_descriptors / 4);
  }

  rte_ether_addr mac{};
  code = rte_eth_macaddr_get(id_, &mac);
  if (code != 0) return error("the device has no MAC address", code);
  std::memcpy(traits_.mac.bytes.data(), mac.addr_bytes, 6);
  // A TAP's kernel end has the port's own MAC address, and would make the same link-local address of it.
  // Nothing filters between the two, so we are free to be somebody else.
  if (traits_.driver == "net_tap") traits_.mac.bytes[5] ^= 1;
  return Ok{};
}

Status Port::setup_queues(rte_mempool* rx_pool) {
  std::uint16_t rx = settings_.rx_descriptors, tx = settings_.tx_descriptors;
  int code = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx);
  if (code != 0 && code != -ENOTSUP) return error("the device refuses the number of descriptors", code);
  const int socket = rte_eth_dev_socket_id(id_);
  const auto node = socket < 0 ? static_cast<unsigned>(SOCKET_ID_ANY) : static_cast<unsigned>(socket);
  for (std::uint16_t q = 0; q < traits_.queues; ++q) {
    code = rte_eth_rx_queue_setup(id_, q, rx, node, nullptr, rx_pool);
    if (code != 0) return error("RX queue " + std::to_string(q), code);
    code = rte_eth_tx_queue_setup(id_, q, tx, node, nullptr);
    if (code != 0) return error("TX queue " + std::to_string(q), code);
  }
  return Ok{};
}

Status Port::start(rte_mempool* rx_pool) {
  if (Status s = setup_queues(rx_pool); !s) return s;
  int code = rte_eth_dev_start(id_);
  if (code != 0) return error("the device does not start", code);
  started_ = true;
  // Hardware took its MTU with the configuration. A kernel interface gets it here; some drivers cannot, and
  // then its owner's setting stands.
  if (!vdev_.empty()) rte_eth_dev_set_mtu(id_, settings_.mtu);
  // Solicited-node groups of VIPs come and go; a MAC filter must not stop them.
  if (rte_eth_allmulticast_enable(id_) != 0) rte_eth_promiscuous_enable(id_);
  poll_link();
  return Ok{};
}

bool Port::query_link() const {
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(id_, &link) != 0 || link.link_status != RTE_ETH_LINK_UP) return false;
  if (kernel_device_.empty()) return true;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  ifreq request{};
  kernel_device_.copy(request.ifr_name, IFNAMSIZ - 1);
  const bool known = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  close(fd);
  return known && (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

void Port::poll_link() { link_up_.store(query_link(), std::memory_order_relaxed); }

void Port::stop() {
  if (started_) rte_eth_dev_stop(id_);
  started_ = false;
}

Port::~Port() {
  stop();
  if (id_ != UINT16_MAX) rte_eth_dev_close(id_);
  if (!vdev_.empty()) rte_eal_hotplug_remove("vdev", vdev_.c_str());
}

}  // namespace sluice::port
