# A line for each description and script, in DTrace's words.
# @needs: root
printf 'BEGIN, END { }\n' > two.d
dtrace -n BEGIN -s two.d -n 'END { exit(0); }' -n 'BEGIN { exit(0); }' > out
