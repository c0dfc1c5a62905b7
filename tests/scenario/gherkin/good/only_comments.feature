# firmware
   # over the air

#no space
