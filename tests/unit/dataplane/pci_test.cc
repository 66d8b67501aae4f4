// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port/pci.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace sluice::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(PciDevice, AddressesAreToldFromVirtualDevices) {
  for (const char* pci : {"0000:00:05.0", "00:05.0", "af3c:d1:1f.7"})
    EXPECT_TRUE(port::is_pci_address(pci)) << pci;
  for (const char* other :
       {"", "net_tap0", "0000:00:05", "0000:00:05.8", "0000-00-05.0", "eth0", "00000:00:5.0"}) {
    EXPECT_FALSE(port::is_pci_address(other)) << other;
  }
}

/// A device as /sys shows it, in a folder of our own.
struct PciError : testing::Test {
  PciError() {
    std::string name = fs::temp_directory_path() / "sluice-pci-XXXXXX";
    sysfs = mkdtemp(name.data());
    fs::create_directories(device());
  }
  ~PciError() override { fs::remove_all(sysfs); }
  fs::path device() const { return fs::path(sysfs) / "bus/pci/devices/0000:00:06.0"; }
  std::string with_driver(const std::string& driver) const {
    fs::create_symlink("../../../../bus/pci/drivers/" + driver, device() / "driver");
    return port::why_no_pci_port("0000:00:06.0", sysfs);
  }
  std::string sysfs;
};

TEST_F(PciError, SaysThatThereIsNoDevice) {
  EXPECT_THAT(port::why_no_pci_port("0000:00:07.0", sysfs), HasSubstr("no PCI device at this address"));
}

TEST_F(PciError, SaysHowToBindADeviceWithoutDriver) {
  EXPECT_THAT(port::why_no_pci_port("0000:00:06.0", sysfs),
              testing::AllOf(HasSubstr("no driver"), HasSubstr("--bind=vfio-pci 0000:00:06.0")));
}

TEST_F(PciError, NamesTheKernelDriverThatHasTheDevice) {
  EXPECT_THAT(with_driver("virtio-pci"),
              testing::AllOf(HasSubstr("driver virtio-pci has"), HasSubstr("bind it")));
}

TEST_F(PciError, SendsTheReaderOfABoundDeviceToDpdksOwnLines) {
  EXPECT_THAT(with_driver("vfio-pci"),
              testing::AllOf(HasSubstr("although vfio-pci"), testing::Not(HasSubstr("bind it"))));
}

}  // namespace
}  // namespace sluice::test
