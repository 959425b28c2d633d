#include "core/url_guard.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace vigil {
namespace {

// A socket address of either family, of text.
struct Socket {
  explicit Socket(const std::string& text) {
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      return;
    }
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
    v6.sin6_family = AF_INET6;
  }
  const sockaddr* get() const {
    return v6.sin6_family == AF_INET6 ? reinterpret_cast<const sockaddr*>(&v6)
                                      : reinterpret_cast<const sockaddr*>(&v4);
  }
  sockaddr_in v4{};
  sockaddr_in6 v6{};
};

bool is_public(const std::string& text) { return is_public_address(Socket(text).get()); }

TEST(PublicAddress, FirstAndLastOfEveryInnerV4Range) {
  for (const char* text :
       {"0.0.0.0",         "0.255.255.255",   "10.0.0.0",        "10.255.255.255",
        "100.64.0.0",      "100.127.255.255", "127.0.0.0",       "127.0.0.1",
        "127.255.255.255", "169.254.0.0",     "169.254.169.254", "169.254.255.255",
        "172.16.0.0",      "172.31.255.255",  "192.0.0.0",       "192.0.0.255",
        "192.168.0.0",     "192.168.255.255", "198.18.0.0",      "198.19.255.255",
        "224.0.0.0",       "239.255.255.255", "240.0.0.0",       "255.255.255.255"}) {
    EXPECT_FALSE(is_public(text)) << text;
    EXPECT_FALSE(is_public(std::string("::ffff:") + text)) << text;
    EXPECT_FALSE(is_public(std::string("::") + text)) << text;
    EXPECT_FALSE(is_public(std::string("64:ff9b::") + text)) << text;
  }
}

TEST(PublicAddress, NeighboursOfTheInnerV4Ranges) {
  for (const char* text :
       {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
        "191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
        "198.20.0.0", "203.0.113.7", "223.255.255.255"}) {
    EXPECT_TRUE(is_public(text)) << text;
    EXPECT_TRUE(is_public(std::string("::ffff:") + text)) << text;
    EXPECT_TRUE(is_public(std::string("64:ff9b::") + text)) << text;
  }
}

TEST(PublicAddress, V6) {
  for (const char* text :
       {"::", "::1", "fc00::", "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1", "ff00::", "ff02::1",
        "2002::", "2002:cb00:7107::1", "2001:0:1::1", "64:ff9b:1::1", "::ffff:127.0.0.1"}) {
    EXPECT_FALSE(is_public(text)) << text;
  }
  for (const char* text : {"2001:4860:4860::8888", "2606:4700::1111", "fbff::1", "fe00::1",
                           "2001:1::1", "2003::1", "64:ff9c::1"}) {
    EXPECT_TRUE(is_public(text)) << text;
  }
}

TEST(PublicAddress, OtherFamiliesAreNot) {
  EXPECT_FALSE(is_public_address(static_cast<const sockaddr*>(nullptr)));
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(reinterpret_cast<const sockaddr*>(&local)));
  EXPECT_FALSE(address_of(reinterpret_cast<const sockaddr*>(&local)));
}

// Empty text when the list is good.
std::string reason_of(std::string_view text) {
  std::string reason;
  const auto list = AddressList::parse(text, reason);
  EXPECT_EQ(list.has_value(), reason.empty());
  return reason;
}

bool holds(std::string_view list, const std::string& address) {
  std::string reason;
  const auto parsed = AddressList::parse(list, reason);
  EXPECT_TRUE(parsed) << reason;
  return parsed && parsed->contains(Socket(address).get());
}

TEST(AddressList, HoldsItsBlocks) {
  constexpr std::string_view list = "127.0.0.0/8, ::1/128,10.1.2.3 ,fd00::/9";
  for (const char* text :
       {"127.0.0.1", "127.255.255.255", "::1", "10.1.2.3", "::ffff:127.0.0.1", "fd7f::1"}) {
    EXPECT_TRUE(holds(list, text)) << text;
  }
  for (const char* text : {"128.0.0.1", "126.0.0.1", "::2", "10.1.2.4", "fd80::1", "::127.0.0.1"}) {
    EXPECT_FALSE(holds(list, text)) << text;
  }
}

TEST(AddressList, PrefixesOfEveryLength) {
  for (unsigned bits = 0; bits <= 32; ++bits) {
    const std::string list = "203.0.113.7/" + std::to_string(bits);
    EXPECT_TRUE(holds(list, "203.0.113.7"));
    for (unsigned flipped = 0; flipped < 32; ++flipped) {
      const in_addr other{htonl(0xCB007107U ^ (0x80000000U >> flipped))};
      EXPECT_EQ(holds(list, inet_ntoa(other)), flipped >= bits) << bits << " " << flipped;
    }
  }
}

TEST(AddressList, FamiliesAreApart) {
  EXPECT_TRUE(holds("0.0.0.0/0", "8.8.8.8"));
  EXPECT_TRUE(holds("0.0.0.0/0", "::ffff:8.8.8.8"));
  EXPECT_FALSE(holds("0.0.0.0/0", "::1"));
  EXPECT_TRUE(holds("::/0", "::1"));
  EXPECT_FALSE(holds("::/0", "8.8.8.8"));
  EXPECT_TRUE(holds("::ffff:10.0.0.0/104", "10.2.3.4"));
  EXPECT_FALSE(holds("::ffff:10.0.0.0/104", "11.2.3.4"));
}

TEST(AddressList, EmptyHoldsNothing) {
  EXPECT_FALSE(holds("", "127.0.0.1"));
  EXPECT_FALSE(holds(" \t", "127.0.0.1"));
  std::string reason;
  EXPECT_TRUE(AddressList::parse("", reason)->empty());
  EXPECT_FALSE(AddressList::parse("::1", reason)->contains(static_cast<const sockaddr*>(nullptr)));
}

TEST(AddressList, MalformedElementsAreNamed) {
  EXPECT_EQ(reason_of("127.0.0.1, x/8"), "\"x/8\" is not an address block in CIDR notation");
  for (const std::string_view text :
       {",", "127.0.0.1,", ",127.0.0.1", "127.0.0.1,,::1", "127.0.0.0/33", "::/129", "127.0.0.0/",
        "127.0.0.0/08", "127.0.0.0/-1", "127.0.0.0/8/8", "127/8", "localhost", "[::1]/128",
        "::ffff:0.0.0.0/95", "::ffff:0.0.0.0/32", "127.0.0.0/ 8", "127.0.0.0/9999",
        "127.0.0.1/104"}) {
    EXPECT_NE(reason_of(text), "") << text;
  }
}

}  // namespace
}  // namespace vigil
