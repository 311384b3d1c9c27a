# What `cmake --install` puts where. Every destination is relative, so that DESTDIR and --prefix work, and the package
# can be moved as a whole.
include(CMakePackageConfigHelpers)

set(mcc_package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/MbedCloudConnectivity")
mcc_read_native_libraries("${PROJECT_SOURCE_DIR}/abi/native-libraries.txt" MCC_NATIVE_LIBRARIES)

# In a folder of its own: the name is short, and others may have one.
set(MCC_PAL_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}/mbed-cloud-connectivity")

configure_package_config_file("${CMAKE_CURRENT_SOURCE_DIR}/cmake/MbedCloudConnectivityConfig.cmake.in"
    "${CMAKE_CURRENT_BINARY_DIR}/MbedCloudConnectivityConfig.cmake"
    INSTALL_DESTINATION "${mcc_package_folder}"
    PATH_VARS CMAKE_INSTALL_BINDIR CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR MCC_PAL_INCLUDEDIR)
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/MbedCloudConnectivityConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)

# pkg-config: relative to the file itself where the library folder is inside the prefix.
set(MCC_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR mcc_absolute)
if(NOT mcc_absolute)
    file(RELATIVE_PATH MCC_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
    string(REGEX REPLACE "/$" "" MCC_PC_PREFIX "\${pcfiledir}/${MCC_PC_PREFIX}")
endif()
foreach(mcc_name IN ITEMS LIBDIR INCLUDEDIR)
    cmake_path(IS_ABSOLUTE CMAKE_INSTALL_${mcc_name} mcc_absolute)
    set(MCC_PC_${mcc_name} "${CMAKE_INSTALL_${mcc_name}}")
    if(NOT mcc_absolute)
        string(PREPEND MCC_PC_${mcc_name} "\${prefix}/")
    endif()
endforeach()
set(MCC_PC_CFLAGS "-I\${includedir}")
if(MBED_CLOUD_CONNECTIVITY_PAL)
    string(APPEND MCC_PC_CFLAGS " -I\${includedir}/mbed-cloud-connectivity")
endif()
list(TRANSFORM MCC_NATIVE_LIBRARIES PREPEND "-l" OUTPUT_VARIABLE MCC_PC_LIBRARIES)
list(JOIN MCC_PC_LIBRARIES " " MCC_PC_LIBRARIES)
configure_file("${CMAKE_CURRENT_SOURCE_DIR}/cmake/mbed-cloud-connectivity.pc.in"
    "${CMAKE_CURRENT_BINARY_DIR}/mbed-cloud-connectivity.pc" @ONLY)

# The components are the packages of MbedCloudConnectivityPackage.cmake, but for the documents, which each package has its own of.
install(FILES "${MCC_ARCHIVE}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(FILES include/mbed_cloud_connectivity.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
if(MBED_CLOUD_CONNECTIVITY_PAL)
    install(FILES include/pal.h DESTINATION "${MCC_PAL_INCLUDEDIR}" COMPONENT development)
endif()
install(PROGRAMS "${MCC_OUTPUT_FOLDER}/mbed-cloud-connectivity-settings" DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT settings)
install(FILES settings/mbed-cloud-connectivity-settings.1 DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT settings)
if(MBED_CLOUD_CONNECTIVITY_NETCHECK)
    install(PROGRAMS "${MCC_OUTPUT_FOLDER}/netcheck/mbed-netcheck" DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT netcheck)
    install(FILES "${MCC_OUTPUT_FOLDER}/netcheck/mbed-netcheck.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT netcheck)
    install(FILES "${MCC_OUTPUT_FOLDER}/netcheck/mbed-netcheck.bash"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME mbed-netcheck COMPONENT netcheck)
    install(FILES "${MCC_OUTPUT_FOLDER}/netcheck/_mbed-netcheck" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions"
        COMPONENT netcheck)
    install(FILES "${MCC_OUTPUT_FOLDER}/netcheck/mbed-netcheck.fish"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d" COMPONENT netcheck)
endif()
install(FILES
    "${CMAKE_CURRENT_BINARY_DIR}/MbedCloudConnectivityConfig.cmake"
    "${CMAKE_CURRENT_BINARY_DIR}/MbedCloudConnectivityConfigVersion.cmake"
    cmake/MbedCloudConnectivityFunctions.cmake
    cmake/ReadInputs.cmake
    cmake/WriteSettings.cmake
    DESTINATION "${mcc_package_folder}" COMPONENT development)
install(FILES "${MCC_ARCHIVE}.cmake" DESTINATION "${mcc_package_folder}" RENAME Archive.cmake COMPONENT development)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/mbed-cloud-connectivity.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
install(FILES LICENSE CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT documents)
install(FILES README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT documents OPTIONAL)
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs" COMPONENT documents
    OPTIONAL FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.schema.json" PATTERN reference EXCLUDE)
