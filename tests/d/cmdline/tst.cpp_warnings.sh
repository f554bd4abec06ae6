# What the preprocessor says is passed on, with the script's name: warnings, and with -H the files that it reads.
# @needs: root cpp
mkdir inc
echo '#define N 1' > inc/n.h
printf '#include "n.h"\n#warning careful\nBEGIN { exit(0); }\n' > warn.d
dtrace -q -C -H -I inc -s warn.d 2> err
grep -c '^\. inc/n.h' err
grep -o '^warn.d:2:.*careful' err
