#include "core/ip.hpp"

#include <gtest/gtest.h>

#include "core/digest.hpp"

namespace vigil {
namespace {

std::string masked(std::string_view text) {
  std::pmr::string out;
  mask_ip_addresses(text, out);
  return std::string(out);
}

TEST(Ip, ReadsAndWritesBareAddresses) {
  const auto canonical = [](std::string_view text) {
    const auto address = parse_ip(text);
    return address ? to_string(*address) : "none";
  };
  EXPECT_EQ(canonical("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(canonical("::ffff:203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(canonical("::FFFF:cb00:7107"), "203.0.113.7");
  EXPECT_EQ(canonical("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  for (const std::string_view text :
       {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "01.2.3.4", "1.2.3.4:80", "[::1]",
        "g::1", "1:2:3:4:5:6:7:8:9", ":::", "localhost", "0x7f.1"}) {
    EXPECT_EQ(canonical(text), "none") << text;
  }
  EXPECT_FALSE(parse_ip(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(parse_ip(std::string(1000, '1')));
  EXPECT_TRUE(parse_ip("1.2.3.4")->is_v4());
  EXPECT_FALSE(parse_ip("::1")->is_v4());
}

TEST(Ip, ToleratesWhatHeadersAdd) {
  for (const std::string_view text :
       {"203.0.113.7", " 203.0.113.7\n", "203.0.113.7:443", "::1", "[::1]", "[::1]:443",
        "fe80::1%eth0", "[fe80::1%25eth0]:80", "::ffff:1.2.3.4"}) {
    EXPECT_TRUE(is_ip_address(text)) << text;
  }
  for (const std::string_view text :
       {"", " ", "[", "[]", "[::1", "::1]", "[::1]443", "[::1]:", "[::1]:99999", "[1.2.3.4]",
        "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4%eth0", "fe80::1%", "%eth0", "10:15:30",
        "example.com", "1.2.3.4, 5.6.7.8"}) {
    EXPECT_FALSE(is_ip_address(text)) << text;
  }
}

TEST(Ip, SeedHashIsTheOneStoredBefore) {
  EXPECT_EQ(seed_hash_ip("203.0.113.7", "salt"), "d0f57c275459c517");
  EXPECT_EQ(seed_hash_ip("203.0.113.7", "pepper"), "87c70c102853e437");
}

TEST(Ip, HashIsThatOfTheCanonicalAddress) {
  const std::string expected = to_hex(hmac_sha256("key", "203.0.113.7")).substr(0, 32);
  EXPECT_EQ(expected.size(), 32U);
  for (const std::string_view text : {"203.0.113.7", " 203.0.113.7 ", "::ffff:203.0.113.7",
                                      "::FFFF:CB00:7107", "203.0.113.7:8080"}) {
    EXPECT_EQ(hash_ip(text, "key"), expected) << text;
  }
  EXPECT_EQ(hash_ip("2001:DB8::0:1", "key"), hash_ip("[2001:db8::1]:443", "key"));
  EXPECT_NE(hash_ip("203.0.113.7", "other"), expected);
  EXPECT_EQ(hash_ip(" unknown ", "key"), to_hex(hmac_sha256("key", "unknown")).substr(0, 32));
  EXPECT_EQ(hash_ip("", ""), to_hex(hmac_sha256("", "")).substr(0, 32));
}

TEST(MaskIp, Addresses) {
  EXPECT_EQ(masked("203.0.113.7"), "[ip]");
  EXPECT_EQ(masked("client 203.0.113.7:5432 connected"), "client [ip] connected");
  EXPECT_EQ(masked("from 10.0.0.1, 10.0.0.2."), "from [ip], [ip].");
  EXPECT_EQ(masked("ip=10.0.0.1&x"), "ip=[ip]&x");
  EXPECT_EQ(masked("ip:10.0.0.1"), "ip:[ip]");
  EXPECT_EQ(masked("http://10.0.0.1:3000/app.js:10:15"), "http://[ip]/app.js:10:15");
  EXPECT_EQ(masked("10.0.0.1-10.0.0.9"), "[ip]-[ip]");
  EXPECT_EQ(masked("host 2001:db8::1."), "host [ip].");
  EXPECT_EQ(masked("host 2001:db8::1: refused"), "host [ip]: refused");
  EXPECT_EQ(masked("ip:2001:db8::1"), "ip:[ip]");
  EXPECT_EQ(masked("[2001:db8::1]:443"), "[[ip]]:443");
  EXPECT_EQ(masked("fe80::1%eth0 and ::1"), "[ip] and [ip]");
  EXPECT_EQ(masked("::ffff:192.168.0.1"), "[ip]");
  EXPECT_EQ(masked("10.0.0.1:http"), "[ip]:http");
  EXPECT_EQ(masked("\u00e9"
                   "10.0.0.1\u00e9"),
            "\u00e9[ip]\u00e9");
}

TEST(MaskIp, WhatIsNoAddressStays) {
  for (const std::string_view text : {"",
                                      "10:15:30",
                                      "2026-11-20T10:15:30.123Z",
                                      "at 10:15:30.",
                                      "version 1.2.3",
                                      "v1.2.3.4",
                                      "1.2.3.4.5",
                                      "256.1.1.1",
                                      "10.0.0.1x",
                                      "x10.0.0.1",
                                      "10.0.0.1.example.com",
                                      "std::vector",
                                      "std::a::b",
                                      "a :: b",
                                      "::",
                                      "app.js:10:15",
                                      "aa:bb:cc:dd:ee:ff",
                                      "1.2.3.",
                                      "...",
                                      ":::::",
                                      "1.2.3.04",
                                      "999",
                                      "x.10.0.0.1",
                                      "_10.0.0.1"}) {
    EXPECT_EQ(masked(text), text);
  }
}

TEST(MaskIp, EveryTruncationKeepsTheRest) {
  const std::string text = "a 203.0.113.7:80 b 2001:db8::1 c";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string once = masked(text.substr(0, size));
    EXPECT_EQ(masked(once), once);
    EXPECT_EQ(once.find("203.0.113.7"), once.npos);
  }
}

TEST(MaskIp, LongHostileTextTakesLinearTime) {
  for (const std::string_view part : {"1.2.3.", "1:", ":", ".", "a:b::", "1.2.3.4.", "f%"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    EXPECT_FALSE(masked(text).empty());
  }
}

TEST(MaskIp, AppendsToTheOutput) {
  std::pmr::string out("x ");
  mask_ip_addresses("1.2.3.4", out);
  EXPECT_EQ(out, "x [ip]");
}

}  // namespace
}  // namespace vigil
