# What cpack makes: three Debian packages, each a component of MbedCloudConnectivityInstall.cmake. script/package does it all.
#
#   libmbed-cloud-connectivity-dev      for who writes programs, on or for this architecture
#   mbed-cloud-connectivity-settings    runs while programs are built: of the machine that builds, whatever it builds for
#   mbed-netcheck                       for who looks for the reason why a device is offline

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mbed-cloud-connectivity)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "${MBED_CLOUD_CONNECTIVITY_PACKAGE_CONTACT}")
# Each package has a synopsis of its own, the first line of its description; cpack would put this one before it.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_COMPONENTS_ALL development)
if(NOT CMAKE_CROSSCOMPILING)
    # In a build for another machine the tool is still this machine's.
    list(APPEND CPACK_COMPONENTS_ALL settings)
endif()
if(MBED_CLOUD_CONNECTIVITY_NETCHECK)
    list(APPEND CPACK_COMPONENTS_ALL netcheck)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SOURCE mbed-cloud-connectivity)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
if(CMAKE_CROSSCOMPILING)
    # dpkg knows the names of this machine only, and dpkg-shlibdeps the libraries.
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(arm|armv7.*|armhf)$")
        set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE armhf)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE amd64)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^i[3-6]86$")
        set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE i386)
    else()
        set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE "${CMAKE_SYSTEM_PROCESSOR}")
    endif()
    set(CPACK_DEBIAN_NETCHECK_PACKAGE_DEPENDS "libc6, libgcc-s1")
else()
    set(CPACK_DEBIAN_SETTINGS_PACKAGE_SHLIBDEPS ON)
    set(CPACK_DEBIAN_NETCHECK_PACKAGE_SHLIBDEPS ON)
endif()

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libmbed-cloud-connectivity-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "mbed-cloud-connectivity-settings (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "cmake (>= 3.25), pkg-config")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
"connections of Mbed Cloud Client devices that stay up (C library)
A static library with a C header, for devices that speak CoAP: connections
over TCP, UDP, TLS and DTLS that are kept alive through NATs and firewalls,
notice a dead path, and come back. It also has the socket and TLS functions
(pal_*) of Mbed Cloud Client, for relinking an existing application.
.
This package has the archive, the headers, and what CMake and pkg-config
find it by.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_MULTIARCH same)

set(CPACK_DEBIAN_SETTINGS_PACKAGE_NAME mbed-cloud-connectivity-settings)
set(CPACK_DEBIAN_SETTINGS_PACKAGE_SECTION devel)
# Read by CMake 3.31 and later.
set(CPACK_DEBIAN_SETTINGS_PACKAGE_MULTIARCH foreign)
# Loaded when there is a header to read; any version from 6 on will do.
set(CPACK_DEBIAN_SETTINGS_PACKAGE_RECOMMENDS "libclang1 | libclang-dev")
set(CPACK_COMPONENT_SETTINGS_DESCRIPTION
"connections of Mbed Cloud Client devices that stay up (settings reader)
Reads the connectivity settings of an application from its C header, its
mbed_app.json and its compile definitions, while the application is built.
.
The CMake functions of libmbed-cloud-connectivity-dev call it.")

set(CPACK_DEBIAN_NETCHECK_PACKAGE_NAME mbed-netcheck)
set(CPACK_DEBIAN_NETCHECK_PACKAGE_SECTION net)
set(CPACK_COMPONENT_NETCHECK_DESCRIPTION
"command that says why an Mbed Cloud Client device is offline
Checks names, ports, TLS and NAT on the way to the device management
service, from the device or from any machine in the same network, and says
in a sentence each what is wrong and what to do.
.
It ends within 15 seconds, and prints a table or JSON.")

# For the script that gives the packages what Debian asks for.
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_SOURCE_DIR}/cmake/PackageLayout.cmake")
set(CPACK_MCC_SOURCE "${PROJECT_SOURCE_DIR}")
set(CPACK_MCC_CARGO "${MCC_CARGO}")
set(CPACK_MCC_RUST_TARGET "${MCC_RUST_TARGET}")
set(CPACK_MCC_STRIP "${CMAKE_STRIP}")
set(CPACK_MCC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
set(CPACK_MCC_ARCHITECTURE "${CMAKE_LIBRARY_ARCHITECTURE}")

include(CPack)
