# Finds Rust, and defines the target that builds the library with it.
#
# Names that begin with mcc_ are this project's own; applications use MbedCloudConnectivityFunctions.cmake.

# Sets in the caller's scope: MCC_CARGO, MCC_RUST_TARGET (empty: this machine).
# Errors: no cargo; a Rust older than Cargo.toml asks for; a cross toolchain whose processor has no known Rust target.
function(mcc_find_rust)
    find_program(MBED_CLOUD_CONNECTIVITY_CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin"
        DOC "The cargo that builds the library")
    if(NOT MBED_CLOUD_CONNECTIVITY_CARGO)
        message(FATAL_ERROR "mbed-cloud-connectivity is written in Rust, and there is no cargo in PATH. "
            "Install a Rust toolchain (script/bootstrap says which), or set MBED_CLOUD_CONNECTIVITY_CARGO.")
    endif()
    file(STRINGS "${PROJECT_SOURCE_DIR}/Cargo.toml" line REGEX "^rust-version = \"" LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+[.][0-9]+([.][0-9]+)?" needed "${line}")
    execute_process(COMMAND "${MBED_CLOUD_CONNECTIVITY_CARGO}" --version WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
        OUTPUT_VARIABLE answer ERROR_VARIABLE complaint RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT result EQUAL 0 OR NOT answer MATCHES "^cargo ([0-9]+[.][0-9]+[.][0-9]+)")
        message(FATAL_ERROR "${MBED_CLOUD_CONNECTIVITY_CARGO} --version failed: ${answer}${complaint}\n"
            "Repair the Rust toolchain, or set MBED_CLOUD_CONNECTIVITY_CARGO to another cargo.")
    endif()
    if(CMAKE_MATCH_1 VERSION_LESS needed)
        message(FATAL_ERROR "${MBED_CLOUD_CONNECTIVITY_CARGO} is version ${CMAKE_MATCH_1}; mbed-cloud-connectivity needs "
            "${needed} or newer. Update the Rust toolchain, or set MBED_CLOUD_CONNECTIVITY_CARGO to another cargo.")
    endif()

    set(rust_target "${MBED_CLOUD_CONNECTIVITY_RUST_TARGET}")
    if(NOT rust_target AND CMAKE_CROSSCOMPILING)
        if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
            set(rust_target aarch64-unknown-linux-gnu)
        elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(arm|armv7.*|armhf)$")
            set(rust_target armv7-unknown-linux-gnueabihf)
        elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
            set(rust_target x86_64-unknown-linux-gnu)
        elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^i[3-6]86$")
            set(rust_target i686-unknown-linux-gnu)
        elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "riscv64")
            set(rust_target riscv64gc-unknown-linux-gnu)
        else()
            message(FATAL_ERROR "There is no known Rust target for CMAKE_SYSTEM_PROCESSOR \"${CMAKE_SYSTEM_PROCESSOR}\". "
                "Set MBED_CLOUD_CONNECTIVITY_RUST_TARGET to one of the names that `rustc --print target-list` gives.")
        endif()
    endif()
    set(MCC_CARGO "${MBED_CLOUD_CONNECTIVITY_CARGO}" PARENT_SCOPE)
    set(MCC_RUST_TARGET "${rust_target}" PARENT_SCOPE)
endfunction()

# Defines
#   mbed_cloud_connectivity                          the library, an imported target
#   mbed_cloud_connectivity::mbed_cloud_connectivity and MbedCloudConnectivity::mbed_cloud_connectivity   the same
#   mbed_cloud_connectivity_archive                  the target that asks cargo, every time: only cargo knows what is stale
function(mcc_add_library)
    if(NOT CMAKE_OBJCOPY OR NOT CMAKE_OBJDUMP OR NOT CMAKE_AR OR NOT CMAKE_NM)
        message(FATAL_ERROR "mbed-cloud-connectivity needs objcopy, objdump, ar and nm beside the compiler ${CMAKE_C_COMPILER}. "
            "Install binutils for this target, or set CMAKE_OBJCOPY, CMAKE_OBJDUMP, CMAKE_AR and CMAKE_NM.")
    endif()

    get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
    if(multi_config)
        set(configuration_folder "/$<CONFIG>")
    endif()
    set(folder "${CMAKE_CURRENT_BINARY_DIR}${configuration_folder}")
    set(archive "${folder}/libmbed_cloud_connectivity.a")
    set(inputs "${CMAKE_CURRENT_BINARY_DIR}/inputs")

    # A file, not arguments: paths, flags and definitions keep every character.
    set(parameters "")
    foreach(name IN ITEMS PROJECT_SOURCE_DIR PROJECT_VERSION MCC_CARGO MCC_RUST_TARGET CMAKE_C_COMPILER CMAKE_C_COMPILER_TARGET
            CMAKE_C_FLAGS CMAKE_SYSROOT CMAKE_CROSSCOMPILING CMAKE_OBJCOPY CMAKE_OBJDUMP CMAKE_AR CMAKE_NM
            MBED_CLOUD_CONNECTIVITY_RUSTC MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR MBED_CLOUD_CONNECTIVITY_CARGO_FLAGS MBED_CLOUD_CONNECTIVITY_MBEDTLS_SOURCE
            MBED_CLOUD_CONNECTIVITY_CONNECTION_ID_EXTENSION)
        string(APPEND parameters "set(${name} [==[${${name}}]==])\n")
    endforeach()
    string(APPEND parameters "set(MCC_PROFILE $<IF:$<CONFIG:Debug>,dev,release>)\n")
    string(APPEND parameters "set(MCC_ARCHIVE [==[${archive}]==])\n")
    string(APPEND parameters "set(MCC_WITH_PAL ${MBED_CLOUD_CONNECTIVITY_PAL})\n")
    string(APPEND parameters "set(MCC_WITH_TLS ${MBED_CLOUD_CONNECTIVITY_TLS})\n")
    string(APPEND parameters "set(MCC_WITH_NETCHECK_RUN ${MBED_CLOUD_CONNECTIVITY_NETCHECK_RUN})\n")
    string(APPEND parameters "set(MCC_WITH_TOOL ${MBED_CLOUD_CONNECTIVITY_INSTALL})\n")
    string(APPEND parameters "set(MCC_WITH_NETCHECK ${MBED_CLOUD_CONNECTIVITY_NETCHECK})\n")
    string(APPEND parameters "set(MCC_NETCHECK_FOLDER [==[${folder}/netcheck]==])\n")
    string(APPEND parameters "set(MCC_SETTINGS_TOOL [==[${folder}/mbed-cloud-connectivity-settings]==])\n")
    string(APPEND parameters "set(MCC_INPUTS \"$<TARGET_GENEX_EVAL:mbed_cloud_connectivity_archive,$<TARGET_PROPERTY:mbed_cloud_connectivity_archive,MCC_INPUTS>>\")\n")
    file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/parameters-$<CONFIG>.cmake" CONTENT "${parameters}")

    # With an application around it, the library is built when something links it.
    set(when "")
    if(PROJECT_IS_TOP_LEVEL OR MBED_CLOUD_CONNECTIVITY_INSTALL)
        set(when ALL)
    endif()
    add_custom_target(mbed_cloud_connectivity_archive ${when}
        COMMAND "${CMAKE_COMMAND}" -D "PARAMETERS=${CMAKE_CURRENT_BINARY_DIR}/parameters-$<CONFIG>.cmake"
                -P "${PROJECT_SOURCE_DIR}/cmake/BuildLibrary.cmake"
        BYPRODUCTS "${archive}"
        COMMENT "Asking cargo for the connectivity library"
        USES_TERMINAL VERBATIM)
    # Settings of targets that mbed_cloud_connectivity_configure names come first; this one holds where none does.
    mcc_write_inputs("${inputs}/default" "")
    set_property(TARGET mbed_cloud_connectivity_archive PROPERTY MCC_INPUTS "${inputs}/default-C-$<CONFIG>.cmake")
    set_property(TARGET mbed_cloud_connectivity_archive PROPERTY MCC_INPUTS_FOLDER "${inputs}")

    add_library(mbed_cloud_connectivity STATIC IMPORTED GLOBAL)
    add_dependencies(mbed_cloud_connectivity mbed_cloud_connectivity_archive)
    mcc_read_native_libraries("${PROJECT_SOURCE_DIR}/abi/native-libraries.txt" libraries)
    set_target_properties(mbed_cloud_connectivity PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include"
        INTERFACE_LINK_LIBRARIES "${libraries}")
    if(multi_config)
        foreach(configuration IN LISTS CMAKE_CONFIGURATION_TYPES)
            string(TOUPPER "${configuration}" upper)
            set_property(TARGET mbed_cloud_connectivity PROPERTY "IMPORTED_LOCATION_${upper}"
                "${CMAKE_CURRENT_BINARY_DIR}/${configuration}/libmbed_cloud_connectivity.a")
        endforeach()
    else()
        set_property(TARGET mbed_cloud_connectivity PROPERTY IMPORTED_LOCATION "${archive}")
    endif()
    set_property(GLOBAL PROPERTY MCC_ARCHIVE_HAS_PAL "${MBED_CLOUD_CONNECTIVITY_PAL}")
    add_library(mbed_cloud_connectivity::mbed_cloud_connectivity ALIAS mbed_cloud_connectivity)
    add_library(MbedCloudConnectivity::mbed_cloud_connectivity ALIAS mbed_cloud_connectivity)
    set(MCC_ARCHIVE "${archive}" PARENT_SCOPE)
    set(MCC_OUTPUT_FOLDER "${folder}" PARENT_SCOPE)
endfunction()

# The libraries of the system that a program needs beside the archive, from the list of what rustc says.
function(mcc_read_native_libraries list result)
    file(STRINGS "${list}" libraries REGEX "^[^#]")
    # The compiler names these itself, and knows better whether it links them shared or static.
    list(REMOVE_ITEM libraries gcc_s c)
    set(${result} "${libraries}" PARENT_SCOPE)
endfunction()
