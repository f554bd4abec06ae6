# -l: DTrace's columns; BEGIN, END and ERROR are the first three.
# @needs: root
dtrace -l -P dtrace
