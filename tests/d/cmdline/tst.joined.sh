# Letters may be joined, values may follow at once.
# @needs: root
dtrace -qnBEGIN'{printf("a\n");exit(0)}'
dtrace -q -xstrsize=3 -n'BEGIN { trace(strjoin("abc", "def")); trace("\n"); exit(0); }'
