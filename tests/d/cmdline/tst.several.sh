# Several -n and -s are one program: they share variables and run in the order of the command line.
# @needs: root
printf 'BEGIN { printf("%%d ", x); x = 2; }\n' > two.d
exec dtrace -q -n 'int x; BEGIN { x = 1; }' -s two.d -n 'BEGIN { printf("%d\n", x); exit(0); }'
