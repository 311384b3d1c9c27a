# Runs the settings tool for one target. Variables: INPUTS, a file of mcc_write_inputs; TOOL; OUTPUT, the C file;
# VERSION_ARGUMENTS, more arguments for the tool.
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/ReadInputs.cmake")

mcc_read_inputs("${INPUTS}")
mcc_settings_arguments(arguments)
execute_process(COMMAND "${TOOL}" ${arguments} ${VERSION_ARGUMENTS} --format c --output "${OUTPUT}" --depfile "${OUTPUT}.d"
    RESULT_VARIABLE result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The settings of the application are wrong: see the messages above.")
endif()
# The tool leaves a file alone that is right already; make wants to see that it was looked at.
file(TOUCH_NOCREATE "${OUTPUT}")
